//! Ids and times in the forms that libraries send.

use serde_json::{Value, json};
use testkit::{record, recorded};

use crate::support::{Api, NOW, success};

async fn published(body: &Value) -> Value {
    let api = Api::new();
    assert_eq!(api.post("/v1/track", body).await, success(), "{body}");
    api.messages().remove(0)
}

#[tokio::test]
async fn ids_are_accepted_in_the_forms_that_libraries_send() {
    for (given, field, expected) in [
        (json!({"userId": 42}), "userId", json!("42")),
        (json!({"anonymousId": 42, "userId": ""}), "anonymousId", json!("42")),
        (json!({"userId": "", "anonymousId": "a"}), "userId", json!(null)),
        (json!({"userId": "u", "anonymousId": " "}), "anonymousId", json!(null)),
        (json!({"userId": "u", "messageId": 7}), "messageId", json!("7")),
        (json!({"userId": "u", "groupId": 12}), "groupId", json!("12")),
    ] {
        let mut body = given.clone();
        body["event"] = "e".into();
        assert_eq!(published(&body).await[field], expected, "{given}");
    }
    let made = published(&json!({"userId": "u", "event": "e", "messageId": ""})).await;
    assert!(made["messageId"].as_str().unwrap().starts_with("segue-"));
}

#[tokio::test]
async fn an_unreadable_time_is_replaced_by_the_time_of_receipt_and_counted() {
    for (given, timestamp, original, reason) in [
        (json!(1_795_000_000), "2026-11-18T11:06:40.000Z", json!("2026-11-18T11:06:40.000Z"), None),
        (
            json!("Thu, 19 Nov 2026 10:00:00 GMT"),
            "2026-11-19T10:00:00.000Z",
            json!("2026-11-19T10:00:00.000Z"),
            None,
        ),
        (json!(""), NOW, json!(NOW), None),
        (json!("Invalid date"), NOW, json!("Invalid date"), Some("unreadable_time")),
        (json!({"at": 1}), NOW, json!({"at": 1}), Some("unreadable_time")),
        (json!("1970-01-01T00:00:01Z"), NOW, json!("1970-01-01T00:00:01.000Z"), Some("implausible_time")),
        (json!("2026-11-23T08:00:01Z"), NOW, json!("2026-11-23T08:00:01.000Z"), Some("implausible_time")),
    ] {
        record();
        let message = published(&json!({"userId": "u", "event": "e", "timestamp": given})).await;
        assert_eq!(
            (&message["timestamp"], &message["originalTimestamp"]),
            (&json!(timestamp), &original),
            "{given}"
        );
        let counted = recorded().into_iter().find(|one| one.get("Corrected").is_some());
        assert_eq!(counted, reason.map(|reason| json!({"Corrected": 1, "Reason": reason})), "{given}");
    }
}

#[tokio::test]
async fn a_bad_time_of_sending_costs_only_the_correction() {
    for sent_at in
        [json!("never"), json!(true), json!({}), json!(0), json!("2083-01-01T00:00:00Z"), json!("")]
    {
        let api = Api::new();
        let message = |id: &str| json!({"type": "track", "userId": "u", "event": "e", "messageId": id, "timestamp": "2026-11-21T07:00:00Z"});
        let batch = json!({"batch": [message("1"), message("2")], "sentAt": sent_at});
        assert_eq!(api.post("/v1/batch", &batch).await, success(), "{sent_at}");
        let times: Vec<Value> = api.messages().iter().map(|one| one["timestamp"].clone()).collect();
        assert_eq!(times, ["2026-11-21T07:00:00.000Z"; 2], "{sent_at}");
    }
    let seconds = json!({"batch": [{"type": "page", "userId": "u", "timestamp": "2026-11-21T07:00:00Z"}], "sentAt": 1_795_244_400});
    let api = Api::new();
    assert_eq!(api.post("/v1/batch", &seconds).await, success());
    assert_eq!(api.messages()[0]["timestamp"], "2026-11-21T08:00:00.000Z", "sent at seven, by its clock");
}

/// Some versions of Flutter's library write one of the two in local time (analytics_flutter#120).
#[tokio::test]
async fn a_local_time_beside_one_with_an_offset_is_not_used_for_the_skew() {
    for (timestamp, sent_at, expected) in [
        // Kolkata and Sydney: later than its own sending.
        ("2026-11-21T13:29:58.123456", "2026-11-21T08:00:00.5Z", NOW),
        ("2026-11-21T18:59:58", "2026-11-21T08:00:00Z", NOW),
        // Sent, by a local clock, before or after it happened.
        ("2026-11-21T07:59:00Z", "2026-11-21T17:00:00", "2026-11-21T07:59:00.000Z"),
        ("2026-11-21T07:59:00Z", "2026-11-20T23:59:00", "2026-11-21T07:59:00.000Z"),
        // Both local: the skew is right.
        ("2026-11-21T13:29:00", "2026-11-21T13:30:00", "2026-11-21T07:59:00.000Z"),
        // The last possible time.
        ("2026-11-21T07:59:00", "9999-12-30T21:59:59Z", "2026-11-21T07:59:00.000Z"),
        ("9999-12-30T21:59:59", "9999-12-30T21:59:59Z", NOW),
        // Within the minute by which a clock may be set.
        ("2026-11-21T08:00:30", "2026-11-21T08:00:00Z", "2026-11-21T08:00:30.000Z"),
    ] {
        let body = json!({"userId": "u", "event": "e", "timestamp": timestamp, "sentAt": sent_at});
        assert_eq!(published(&body).await["timestamp"], expected, "{timestamp} {sent_at}");
    }
}

#[tokio::test]
async fn an_implausible_original_time_is_replaced_by_a_plausible_one() {
    for original in [
        json!("1970-01-01T00:00:00Z"),
        json!("0001-01-01T00:00:00Z"),
        json!("2099-01-01T00:00:00Z"),
        json!(0),
    ] {
        let body = json!({
            "userId": "u", "event": "e", "originalTimestamp": original, "timestamp": "2026-11-21T07:00:00Z",
        });
        assert_eq!(published(&body).await["timestamp"], "2026-11-21T07:00:00.000Z", "{original}");
    }
}

#[tokio::test]
async fn a_clock_that_is_years_off_is_corrected_by_its_own_time_of_sending() {
    for (year, minute) in [("1970", "59"), ("2039", "30")] {
        let body = json!({
            "userId": "u", "event": "e",
            "timestamp": format!("{year}-01-01T00:{minute}:00Z"), "sentAt": format!("{year}-01-01T01:00:00Z"),
        });
        assert_eq!(published(&body).await["timestamp"], format!("2026-11-21T07:{minute}:00.000Z"));
    }
}

#[tokio::test]
async fn php_lists_in_the_place_of_empty_objects_are_objects() {
    let message =
        published(&json!({"userId": "u", "event": "e", "properties": [], "context": [], "integrations": []}))
            .await;
    for field in ["properties", "context", "integrations"] {
        assert_eq!(message[field], json!({}), "{field}");
    }
    let api = Api::new();
    let batch = json!({"batch": [{"type": "page", "userId": "u"}], "context": [], "integrations": []});
    assert_eq!(api.post("/v1/batch", &batch).await, success());
}
