//! Completing messages, with a table for each rule.

use proptest::prelude::*;
use segment::json;
use serde_json::json;

use super::*;

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("an object") };
    object
}

fn receipt() -> Receipt {
    let received_at = "2026-11-21T08:00:00.123Z".parse().unwrap();
    Receipt { received_at, caller: Some([203, 0, 113, 7].into()), from_client: false }
}

fn enriched(value: Value) -> Map<String, Value> {
    let mut message = object(value);
    segment::tidy(&mut message);
    receipt().enrich(&mut message, &BatchFields::default());
    message
}

#[test]
fn the_skew_of_the_senders_clock_is_taken_out() {
    let now = "2026-11-21T08:00:00.123Z";
    for (given, original, sent_at, timestamp) in [
        (json!({}), now, now, now),
        (json!({"timestamp": null, "sentAt": null}), now, now, now),
        // Without the time of sending, the skew is unknown.
        (
            json!({"timestamp": "2026-11-20T08:00:00Z"}),
            "2026-11-20T08:00:00Z",
            now,
            "2026-11-20T08:00:00.000Z",
        ),
        (json!({"sentAt": "2020-01-01"}), "2020-01-01", "2020-01-01", now),
        // An hour ahead, ten seconds old.
        (
            json!({"timestamp": "2026-11-21T08:59:50Z", "sentAt": "2026-11-21T09:00:00Z"}),
            "2026-11-21T08:59:50Z",
            "2026-11-21T09:00:00Z",
            "2026-11-21T07:59:50.123Z",
        ),
        // Sent before it happened: kept as it is, after the receipt.
        (
            json!({"timestamp": "2026-11-21T08:00:02Z", "sentAt": "2026-11-21T08:00:00Z"}),
            "2026-11-21T08:00:02Z",
            "2026-11-21T08:00:00Z",
            "2026-11-21T08:00:02.123Z",
        ),
        // An original timestamp takes precedence over a changed one.
        (
            json!({"originalTimestamp": "2026-11-21T06:00:00Z", "timestamp": "2026-11-21T05:00:00Z", "sentAt": "2026-11-21T06:00:01Z"}),
            "2026-11-21T06:00:00Z",
            "2026-11-21T06:00:01Z",
            "2026-11-21T07:59:59.123Z",
        ),
        // An implausible time, by one clock or by both.
        (
            json!({"timestamp": "9999-12-29T00:00:00Z", "sentAt": "0001-01-01T00:00:00Z"}),
            "9999-12-29T00:00:00Z",
            "0001-01-01T00:00:00Z",
            now,
        ),
        (
            json!({"timestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-12-29T00:00:00Z"}),
            "0001-01-01T00:00:00Z",
            "9999-12-29T00:00:00Z",
            now,
        ),
        // The first readable one counts.
        (
            json!({"timestamp": "soon", "originalTimestamp": "2026-11-21T07:00:00Z"}),
            "2026-11-21T07:00:00Z",
            now,
            "2026-11-21T07:00:00.000Z",
        ),
        (
            json!({"timestamp": "2026-11-21T07:00:00Z", "originalTimestamp": "then"}),
            "then",
            now,
            "2026-11-21T07:00:00.000Z",
        ),
        (json!({"timestamp": "soon", "sentAt": "2026-11-21T07:00:00Z"}), "soon", "2026-11-21T07:00:00Z", now),
    ] {
        let message = enriched(given.clone());
        assert_eq!(message["receivedAt"], now);
        let times =
            ["originalTimestamp", "sentAt", "timestamp"].map(|field| message[field].as_str().unwrap());
        assert_eq!(times, [original, sent_at, timestamp], "{given}");
    }
}

#[test]
fn the_time_of_receipt_is_set_by_segue() {
    assert_eq!(enriched(json!({"receivedAt": "2020-01-01"}))["receivedAt"], "2026-11-21T08:00:00.123Z");
}

#[test]
fn the_time_of_sending_is_the_messages_or_else_the_batchs() {
    let shared = BatchFields { sent_at: Some("2026-11-21T07:00:00Z".into()), ..BatchFields::default() };
    for (given, expected) in [
        (json!({}), "2026-11-21T07:00:00Z"),
        (json!({"sentAt": "2026-11-21T06:00:00Z"}), "2026-11-21T06:00:00Z"),
    ] {
        let mut message = object(given);
        receipt().enrich(&mut message, &shared);
        assert_eq!(message["sentAt"], expected);
    }
}

#[test]
fn a_given_channel_stays_and_the_address_is_for_clients_and_direct_calls() {
    assert_eq!(enriched(json!({"channel": "kiosk"}))["channel"], "kiosk");
    assert_eq!(enriched(json!({"context": 7}))["channel"], "server");
    for (context, expected) in [
        (json!({"direct": true}), json!({"direct": true, "ip": "203.0.113.7"})),
        (json!({"direct": true, "ip": "192.0.2.1"}), json!({"direct": true, "ip": "192.0.2.1"})),
        (json!({"direct": false}), json!({"direct": false})),
        (json!({"direct": "true"}), json!({"direct": "true"})),
        (json!({}), json!({})),
        (json!(null), json!(null)),
    ] {
        assert_eq!(enriched(json!({"context": context}))["context"], expected, "{context}");
    }
    let mut message = object(json!({"context": {"direct": true}}));
    Receipt { caller: None, ..receipt() }.enrich(&mut message, &BatchFields::default());
    assert_eq!(message["context"], json!({"direct": true}));
    Receipt { caller: "::ffff:192.0.2.9".parse().ok(), ..receipt() }
        .enrich(&mut message, &BatchFields::default());
    assert_eq!(message["context"]["ip"], "192.0.2.9", "an IPv4 address is written as one");
}

#[test]
fn an_id_is_made_only_where_there_is_none() {
    let id = |value| enriched(value)["messageId"].as_str().unwrap().to_owned();
    let (one, other) = (id(json!({})), id(json!({"messageId": null})));
    assert_ne!(one, other);
    assert!(
        one.strip_prefix("segue-")
            .is_some_and(|hex| { hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) })
    );
    assert_eq!(id(json!({"messageId": "m"})), "m");
    assert_eq!(id(json!({"messageId": 7})), "7");
    assert!(id(json!({"messageId": " "})).starts_with("segue-"));
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from),
        (0_i64..4_000_000_000_000).prop_map(Value::from),
        Just(json!("2026-11-21T06:00:00+02:00")),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]|direct|ip|library|name", inner), 0..4)
                .prop_map(|fields| fields.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn message() -> impl Strategy<Value = Map<String, Value>> {
    let field =
        "messageId|timestamp|originalTimestamp|sentAt|receivedAt|version|channel|context|userId|[a-z]{1,3}";
    prop::collection::vec((field, anything()), 0..10).prop_map(|fields| fields.into_iter().collect())
}

proptest! {
    #[test]
    fn completing_a_message_twice_changes_nothing_more(message in message()) {
        let mut once = message;
        segment::tidy(&mut once);
        receipt().enrich(&mut once, &BatchFields::default());
        let mut twice = once.clone();
        receipt().enrich(&mut twice, &BatchFields::default());
        prop_assert_eq!(json::encode(&twice), json::encode(&once));
    }

    #[test]
    fn given_values_stay_unchanged(message in message()) {
        let mut message = message;
        segment::tidy(&mut message);
        let mut complete = message.clone();
        receipt().enrich(&mut complete, &BatchFields::default());
        prop_assert!(message.keys().eq(complete.keys().take(message.len())), "the order of the fields");
        for (field, value) in &message {
            let ours = matches!(field.as_str(), "receivedAt" | "timestamp");
            let may_be_set = matches!(
                field.as_str(),
                "messageId" | "originalTimestamp" | "sentAt" | "version" | "channel"
            );
            let plausible = |time| timestamp::plausible(time, receipt().received_at);
            let no_time = field == "sentAt" && !timestamp::parse(value).is_some_and(plausible);
            if ours || no_time || (may_be_set && value.is_null()) {
                continue;
            }
            if field == "context" && value.get("direct") == Some(&Value::Bool(true)) {
                // The address is tested above.
                let ip = complete[field].get("ip").is_some_and(|ip| !ip.is_null() && ip != "");
                prop_assert!(ip, "{}", complete[field]);
                continue;
            }
            prop_assert_eq!(complete[field].to_string(), value.to_string(), "{}", field);
        }
    }
}
