//! Properties of every batch.

use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::gzip;

use crate::support::{Api, request, success, track};

/// A message and whether it is good.
fn message() -> impl Strategy<Value = (Value, bool)> {
    prop_oneof![
        4 => ("[a-z0-9]{1,12}").prop_map(|id| (track(&id), true)),
        1 => any::<i64>().prop_map(|n| (json!({"type": "page", "anonymousId": "a", "n": n}), true)),
        1 => prop_oneof![
            Just(json!({"type": "track", "userId": "u"})),
            Just(json!({"type": "delete", "userId": "u"})),
            Just(json!({"type": "group", "userId": "u", "messageId": "m"})),
            Just(json!({"type": "page"})),
            Just(json!({})),
            Just(json!([])),
            Just(json!(null)),
            Just(json!({"type": "page", "userId": "u", "traits": "t"})),
        ].prop_map(|message| (message, false)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_good_messages_are_published_in_order_and_the_bad_ones_listed(
        messages in prop::collection::vec(message(), 0..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let api = Api::new();
        let all: Vec<&Value> = messages.iter().map(|(message, _)| message).collect();
        let answer = runtime.block_on(api.post("/v1/batch", &json!({"batch": all})));

        let good: Vec<&Value> = messages.iter().filter(|(_, good)| *good).map(|(message, _)| message).collect();
        let bad = messages.iter().enumerate().filter(|(_, (_, good))| !good);
        let bad: Vec<u64> = bad.map(|(index, _)| index as u64).collect();
        if bad.is_empty() {
            prop_assert_eq!(answer, success());
        } else {
            let status = if good.is_empty() { 400 } else { 200 };
            prop_assert_eq!((answer.0, &answer.1["accepted"]), (status, &json!(good.len())));
            prop_assert_eq!(api.rejected().len(), if good.is_empty() { 0 } else { bad.len() });
            let named = answer.1["invalid"].as_array().unwrap().iter();
            let named: Vec<u64> = named.map(|one| one["index"].as_u64().unwrap()).collect();
            prop_assert_eq!(named, bad);
        }
        let published = api.messages();
        prop_assert_eq!(published.len(), good.len());
        prop_assert!(api.calls().len() <= 1);
        for (published, given) in published.iter().zip(good) {
            for (field, value) in given.as_object().unwrap() {
                prop_assert_eq!(published[field].to_string(), value.to_string(), "{}", field);
            }
        }
    }
}

/// Whether a batch is refused as a damaged gzip.
fn is_taken_for_damaged(body: Vec<u8>) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (status, answer) = runtime.block_on(Api::new().send(request("/v1/batch", body)));
    status == 400 && answer["error"] == "damaged_gzip"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_gzip_that_was_decoded_as_text_is_recognized_and_no_sound_one_is(
        messages in prop::collection::vec(message(), 0..40),
    ) {
        let all: Vec<&Value> = messages.iter().map(|(message, _)| message).collect();
        let sound = gzip(json!({"batch": all}).to_string().as_bytes());
        let damaged = String::from_utf8_lossy(&sound).into_owned().into_bytes();
        prop_assert!(is_taken_for_damaged(damaged));
        prop_assert!(!is_taken_for_damaged(sound));
    }

    #[test]
    fn no_other_body_is_taken_for_a_damaged_gzip(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            any::<String>().prop_map(String::into_bytes),
            any::<String>().prop_map(|text| json!({"batch": text}).to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned().into()),
        ],
    ) {
        prop_assume!(!body.starts_with("\u{1f}\u{fffd}\u{8}".as_bytes()));
        prop_assert!(!is_taken_for_damaged(body));
    }
}
