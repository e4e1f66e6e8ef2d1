//! segment-delivery.

use end_to_end::{Aws, Lambda, Queues, samples};
use fakes::{Answer, FakeServer};
use serde_json::{Value, json};

async fn started(aws: &Aws, queues: &Queues, segment: &FakeServer) -> Lambda {
    let secret = aws.secret(r#"{"default":"k1","shop":"k2"}"#).await;
    let url = segment.url();
    let environment = [
        ("SEGMENT_ENDPOINT", url.as_str()),
        ("WRITE_KEYS_SECRET_ARN", &secret),
        ("QUEUE_URL", &queues.queue),
        ("DEAD_LETTER_QUEUE_URL", &queues.dead_letters),
    ];
    aws.function("segment-delivery", &environment).await
}

#[tokio::test]
async fn every_sample_ends_at_segment_or_in_the_dead_letter_queue() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let segment = FakeServer::healthy().await;
    let function = started(&aws, &queues, &segment).await;
    for (name, event) in samples("segment-delivery") {
        let before = segment.taken().len();
        let answer: Value = serde_json::from_str(&function.invoke(event).await.unwrap()).unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}), "{name}");
        let mut taken: Vec<(String, Value)> = segment.taken()[before..].to_vec();
        taken.sort_by_key(|(write_key, message)| (write_key.clone(), message["type"].to_string()));
        let taken: Vec<(&str, &Value)> =
            taken.iter().map(|(write_key, message)| (write_key.as_str(), &message["type"])).collect();
        let mut dead: Vec<Value> = queues
            .drain(&queues.dead_letters)
            .await
            .into_iter()
            .map(|(_, mut attributes)| attributes.remove("failure").unwrap())
            .collect();
        dead.sort_by_key(Value::to_string);
        let (expected_taken, expected_dead) = match name.as_str() {
            "identify-and-track" => (vec![("k1", "identify"), ("k1", "track")], vec![]),
            "two-write-keys" => (vec![("k1", "identify"), ("k2", "track")], vec![]),
            "one-undecodable" => (vec![("k1", "track")], vec!["invalid", "invalid"]),
            other => panic!("no expectation for {other}"),
        };
        let expected_taken: Vec<(&str, Value)> =
            expected_taken.into_iter().map(|(write_key, kind)| (write_key, Value::from(kind))).collect();
        assert!(taken.iter().map(|(k, v)| (*k, (*v).clone())).eq(expected_taken), "{name}: {taken:?}");
        assert_eq!(dead, expected_dead, "{name}");
    }
}

#[tokio::test]
async fn what_segment_does_not_take_goes_back_into_the_queue_and_is_delivered_later() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let segment = FakeServer::answering([Answer::rate_limited("1")]).await;
    let function = started(&aws, &queues, &segment).await;
    let (_, event) = samples("segment-delivery").remove(0);
    function.invoke(event).await.unwrap();
    assert!(segment.taken().is_empty());
    let mut rounds = 0;
    while segment.taken().len() < 2 {
        queues.deliver(&function).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        rounds += 1;
        assert!(rounds < 300, "{}", function.logs());
    }
    assert_eq!(segment.requests().len(), 2);
}

#[tokio::test]
async fn a_message_that_no_queue_takes_is_reported_as_failed() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let segment = FakeServer::start(|_| Answer::status(400)).await;
    let function = started(&aws, &queues, &segment).await;
    let (_, event) = samples("segment-delivery").remove(0);
    let ids: Vec<Value> = serde_json::from_str::<Value>(&event).unwrap()["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| json!({"itemIdentifier": record["messageId"]}))
        .collect();
    drop(aws);
    let mut answer: Value = serde_json::from_str(&function.invoke(event).await.unwrap()).unwrap();
    let failures = answer["batchItemFailures"].as_array_mut().unwrap();
    failures.sort_by_key(|failure| failure["itemIdentifier"].to_string());
    assert_eq!(*failures, ids);
}
