//! segment-delivery.

use end_to_end::samples;
use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use crate::world::{self, deliver_until, sample};

#[tokio::test]
async fn every_sample_ends_at_segment_or_in_the_dead_letter_queue() {
    let segment = FakeServer::healthy().await;
    let stack =
        world::setup(&segment).secret("WriteKeysSecret", r#"{"default":"k1","shop":"k2"}"#).up().await;
    let function = stack.function("SegmentDelivery");
    for (name, event) in samples("segment-delivery") {
        let before = segment.taken().len();
        let answer: Value = serde_json::from_str(&function.invoke(event).await.unwrap()).unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}), "{name}");
        let mut taken: Vec<(String, Value)> = segment.taken()[before..].to_vec();
        taken.sort_by_key(|(write_key, message)| (write_key.clone(), message["type"].to_string()));
        let taken: Vec<(&str, &Value)> =
            taken.iter().map(|(write_key, message)| (write_key.as_str(), &message["type"])).collect();
        let dead = stack.queue("SegmentDeadLetterQueue").await.drain().await.into_iter();
        let mut dead: Vec<Value> =
            dead.map(|(_, mut attributes)| attributes.remove("failure").unwrap()).collect();
        dead.sort_by_key(Value::to_string);
        let (expected_taken, expected_dead) = match name.as_str() {
            "identify-and-track" => (vec![("k1", "identify"), ("k1", "track")], vec![]),
            "two-write-keys" => (vec![("k1", "identify"), ("k2", "track")], vec![]),
            // The delete is not for it, according to its subscription's filter.
            "one-undecodable" => (vec![("k1", "track")], vec!["invalid"]),
            other => panic!("no expectation for {other}"),
        };
        let expected_taken: Vec<(&str, Value)> =
            expected_taken.into_iter().map(|(write_key, kind)| (write_key, Value::from(kind))).collect();
        assert!(taken.iter().map(|(k, v)| (*k, (*v).clone())).eq(expected_taken), "{name}: {taken:?}");
        assert_eq!(dead, expected_dead, "{name}");
    }
}

#[tokio::test]
async fn messages_that_segment_does_not_take_go_back_into_the_queue_and_are_delivered_later() {
    let segment = FakeServer::answering([Answer::rate_limited("1")]).await;
    let stack = world::setup(&segment).up().await;
    stack.function("SegmentDelivery").invoke(sample("segment-delivery", "identify-and-track")).await.unwrap();
    assert!(segment.taken().is_empty());
    deliver_until(&stack, "SegmentDelivery", || segment.taken().len() == 2).await;
    assert_eq!(segment.requests().len(), 2);
}

#[tokio::test]
async fn a_message_that_no_queue_takes_is_reported_as_failed() {
    let segment = FakeServer::start(|_| Answer::status(400)).await;
    let stack = world::setup(&segment).up().await;
    stack.function("SegmentDelivery").warm().await;
    let event = sample("segment-delivery", "identify-and-track");
    stack.break_everything();
    let answer = stack.function("SegmentDelivery").invoke(event.as_str()).await.unwrap();
    world::assert_all_failed(&event, &answer);
}
