//! Completing messages, each rule in a table.

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
    Receipt { received_at, caller: Some([203, 0, 113, 7].into()), has_origin: false }
}

fn enriched(value: Value) -> Map<String, Value> {
    let mut message = object(value);
    receipt().enrich(&mut message, &Shared::default());
    message
}

#[test]
fn the_skew_of_the_senders_clock_is_taken_out() {
    let now = "2026-11-21T08:00:00.123Z";
    for (given, original, sent_at, timestamp) in [
        (json!({}), now, now, now),
        (json!({"timestamp": null, "sentAt": null}), now, now, now),
        // Without the time of sending there is no skew to know of.
        (
            json!({"timestamp": "2026-11-20T08:00:00Z"}),
            "2026-11-20T08:00:00Z",
            now,
            "2026-11-20T08:00:00.000Z",
        ),
        (json!({"sentAt": "2020-01-01"}), "2020-01-01", "2020-01-01", now),
        // An hour fast, ten seconds old.
        (
            json!({"timestamp": "2026-11-21T08:59:50Z", "sentAt": "2026-11-21T09:00:00Z"}),
            "2026-11-21T08:59:50Z",
            "2026-11-21T09:00:00Z",
            "2026-11-21T07:59:50.123Z",
        ),
        // Sent before it happened: as given, after the receipt.
        (
            json!({"timestamp": "2026-11-21T08:00:02Z", "sentAt": "2026-11-21T08:00:00Z"}),
            "2026-11-21T08:00:02Z",
            "2026-11-21T08:00:00Z",
            "2026-11-21T08:00:02.123Z",
        ),
        // An original timestamp counts for more than what somebody made of it.
        (
            json!({"originalTimestamp": "2026-11-21T06:00:00Z", "timestamp": "2026-11-21T05:00:00Z", "sentAt": "2026-11-21T06:00:01Z"}),
            "2026-11-21T06:00:00Z",
            "2026-11-21T06:00:01Z",
            "2026-11-21T07:59:59.123Z",
        ),
        // What ISO 8601 cannot write is not corrected.
        (
            json!({"timestamp": "9999-12-29T00:00:00Z", "sentAt": "0001-01-01T00:00:00Z"}),
            "9999-12-29T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-29T00:00:00.000Z",
        ),
        (
            json!({"timestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-12-29T00:00:00Z"}),
            "0001-01-01T00:00:00Z",
            "9999-12-29T00:00:00Z",
            "0001-01-01T00:00:00.000Z",
        ),
    ] {
        let message = enriched(given.clone());
        assert_eq!(message["receivedAt"], now);
        let times =
            ["originalTimestamp", "sentAt", "timestamp"].map(|field| message[field].as_str().unwrap());
        assert_eq!(times, [original, sent_at, timestamp], "{given}");
    }
}

#[test]
fn what_is_no_time_is_left_for_the_check_to_name() {
    for (given, field) in [
        (json!({"timestamp": "soon"}), "timestamp"),
        (json!({"timestamp": "soon", "originalTimestamp": "2026-11-21"}), "timestamp"),
        (json!({"originalTimestamp": 1.5}), "originalTimestamp"),
        (json!({"sentAt": {}}), "sentAt"),
        (json!({"sentAt": true, "timestamp": "2026-11-21"}), "sentAt"),
    ] {
        let mut message = enriched(given.clone());
        message.extend(object(json!({"type": "page", "userId": "u"})));
        let error = segment::Message::from_object(message).unwrap_err();
        assert_eq!((error.path, error.problem), (field, segment::Problem::NotATime), "{given}");
    }
}

#[test]
fn the_time_of_receipt_is_ours() {
    assert_eq!(enriched(json!({"receivedAt": "2020-01-01"}))["receivedAt"], "2026-11-21T08:00:00.123Z");
}

#[test]
fn the_time_of_sending_is_the_messages_and_else_the_batchs() {
    let shared = Shared { sent_at: Some("2026-11-21T07:00:00Z".into()), ..Shared::default() };
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
fn the_channel_is_that_of_the_library() {
    for (library, has_origin, expected) in [
        (json!(null), false, "server"),
        (json!(null), true, "browser"),
        (json!({"name": "analytics-node"}), false, "server"),
        (json!({"name": "analytics-node"}), true, "browser"),
        (json!({"name": "analytics.js"}), false, "browser"),
        (json!({"name": "analytics-ios"}), false, "mobile"),
        (json!({"name": "analytics-android"}), false, "mobile"),
        (json!({"name": "analytics-kotlin"}), false, "mobile"),
        (json!({"name": "analytics-swift"}), false, "mobile"),
        (json!({"name": "@segment/analytics-react-native"}), false, "mobile"),
        (json!({"name": "analytics-flutter"}), true, "mobile"),
        (json!({"name": 7}), false, "server"),
        (json!("analytics.js"), false, "server"),
    ] {
        let mut message = object(json!({"context": {"library": library}}));
        Receipt { has_origin, ..receipt() }.enrich(&mut message, &Shared::default());
        assert_eq!(message["channel"], expected, "{library} {has_origin}");
    }
    assert_eq!(enriched(json!({"channel": "kiosk"}))["channel"], "kiosk");
    assert_eq!(enriched(json!({"context": 7}))["channel"], "server");
}

#[test]
fn the_callers_address_is_that_of_a_user_who_sends_directly() {
    for (context, expected) in [
        (json!({"direct": true}), json!({"direct": true, "ip": "203.0.113.7"})),
        (json!({"direct": true, "ip": "192.0.2.1"}), json!({"direct": true, "ip": "192.0.2.1"})),
        (json!({"direct": true, "ip": null}), json!({"direct": true, "ip": null})),
        (json!({"direct": false}), json!({"direct": false})),
        (json!({"direct": "true"}), json!({"direct": "true"})),
        (json!({}), json!({})),
        (json!(null), json!(null)),
    ] {
        assert_eq!(enriched(json!({"context": context}))["context"], expected, "{context}");
    }
    assert!(!enriched(json!({})).contains_key("context"));
    let mut message = object(json!({"context": {"direct": true}}));
    Receipt { caller: None, ..receipt() }.enrich(&mut message, &Shared::default());
    assert_eq!(message["context"], json!({"direct": true}));
    Receipt { caller: "::ffff:192.0.2.9".parse().ok(), ..receipt() }.enrich(&mut message, &Shared::default());
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
    assert_eq!(enriched(json!({"messageId": 7}))["messageId"], 7, "the check refuses it");
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
    fn to_complete_a_message_twice_is_to_do_it_once(message in message()) {
        let mut once = message;
        receipt().enrich(&mut once, &Shared::default());
        let mut twice = once.clone();
        receipt().enrich(&mut twice, &Shared::default());
        prop_assert_eq!(json::encode(&twice), json::encode(&once));
    }

    #[test]
    fn what_is_given_stays_in_its_place(message in message()) {
        let mut complete = message.clone();
        receipt().enrich(&mut complete, &Shared::default());
        prop_assert!(message.keys().eq(complete.keys().take(message.len())), "the order of the fields");
        for (field, value) in &message {
            let ours = matches!(field.as_str(), "receivedAt" | "timestamp");
            let may_be_set = matches!(
                field.as_str(),
                "messageId" | "originalTimestamp" | "sentAt" | "version" | "channel"
            );
            if ours || (may_be_set && value.is_null()) {
                continue;
            }
            let mut expected = value.clone();
            if let (true, Value::Object(context)) = (field == "context", &mut expected)
                && context.get("direct") == Some(&Value::Bool(true))
            {
                context.entry("ip").or_insert_with(|| "203.0.113.7".into());
            }
            prop_assert_eq!(complete[field].to_string(), expected.to_string(), "{}", field);
        }
    }
}
