//! Putting messages back into SQS and into its dead-letter queue.

use std::time::Duration;

use platform::{
    aws::SqsQueue,
    queue::{Entry, Queue, Replacement, TargetQueue},
    secrets::SecretStore,
    topic::Attributes,
};
use serde_json::{Value, json};

use crate::service::{Requests, listen, start};

fn entry(body: impl Into<String>, target: TargetQueue) -> Entry {
    Entry {
        body: body.into(),
        attributes: Attributes::from([
            ("attempts".into(), "3".into()),
            ("empty".into(), String::new()),
            ("reason".into(), "nul\0".into()),
        ]),
        target,
    }
}

fn replacement(entries: Vec<Entry>) -> Replacement {
    Replacement { received: vec!["19dd0b57".to_owned()], entries }
}

fn dead(body: &str) -> Replacement {
    replacement(vec![entry(body, TargetQueue::DeadLetter)])
}

/// SQS that takes every entry, except those whose body says `refuse`. It does not answer for those that say
/// `ignore`.
async fn queue() -> (SqsQueue, Requests) {
    let (aws, requests) = start(|request| {
        let request: Value = serde_json::from_str(request).unwrap();
        let (mut taken, mut failed) = (Vec::new(), Vec::new());
        for entry in request["Entries"].as_array().unwrap() {
            match entry["MessageBody"].as_str().unwrap() {
                "refuse" => {
                    failed.push(json!({"Id": entry["Id"], "Code": "InternalError", "SenderFault": false}));
                }
                "ignore" => {}
                _ => taken.push(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""})),
            }
        }
        Some((200, json!({"Successful": taken, "Failed": failed}).to_string()))
    })
    .await;
    (aws.queue("https://sqs/SegmentQueue", "https://sqs/SegmentDeadLetters"), requests)
}

#[tokio::test]
async fn another_address_of_sqs_is_that_of_sqs_alone() {
    let (aws, others) = start(|_| Some((400, "{}".to_owned()))).await;
    let (url, requests) = listen(|_| Some((200, json!({"Successful": [], "Failed": []}).to_string()))).await;
    let aws = aws.with_sqs_endpoint(url);
    aws.queue("https://sqs/SegmentQueue", "https://sqs/SegmentDeadLetters").replace(vec![dead("b")]).await;
    assert_eq!((others.lock().unwrap().len(), requests.lock().unwrap().len()), (0, 1));
    assert!(aws.secret("s").fetch().await.is_err());
    assert_eq!((others.lock().unwrap().len(), requests.lock().unwrap().len()), (1, 1));
}

fn sent(requests: &Requests) -> Vec<Value> {
    requests.lock().unwrap().iter().map(|request| serde_json::from_str(request).unwrap()).collect()
}

#[tokio::test]
async fn a_message_is_put_back_with_its_delay_and_attributes() {
    let (queue, requests) = queue().await;
    let delays = [Duration::ZERO, Duration::from_millis(1_001), Duration::from_secs(86_400)];
    let messages = delays.map(|delay| replacement(vec![entry("{}", TargetQueue::Source(delay))]));
    assert!(queue.replace(messages.into()).await.iter().all(Result::is_ok));
    let sent = sent(&requests);
    assert_eq!(sent[0]["QueueUrl"], "https://sqs/SegmentQueue");
    let entries = sent[0]["Entries"].as_array().unwrap();
    assert_eq!(entries.iter().map(|entry| &entry["DelaySeconds"]).collect::<Vec<_>>(), [0, 2, 900]);
    assert_eq!(
        entries[0]["MessageAttributes"],
        json!({
            "attempts": {"StringValue": "3", "DataType": "String"},
            "reason": {"StringValue": "nul\u{fffd}", "DataType": "String"},
        }),
        "SQS refuses a whole call for an empty attribute or a control character"
    );
}

#[tokio::test]
async fn each_message_gets_its_result_in_order() {
    let (queue, requests) = queue().await;
    let mut bodies = vec!["{}"; 12];
    (bodies[1], bodies[3], bodies[11]) = ("refuse", "ignore", "refuse");
    let results = queue.replace(bodies.into_iter().map(dead).collect()).await;
    let failed: Vec<usize> = (0..12).filter(|index| results[*index].is_err()).collect();
    assert_eq!((results.len(), failed), (12, vec![1, 3, 11]));
    let error = |index: usize| results[index].as_ref().unwrap_err().0.to_string();
    assert_eq!(error(1), "SQS refused the message with InternalError");
    assert_eq!(error(3), "SQS did not report whether it took the message");
    let sent = sent(&requests);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1]["QueueUrl"], "https://sqs/SegmentDeadLetters");
}

#[tokio::test]
async fn a_replacement_succeeds_only_when_each_of_its_entries_does() {
    let (queue, requests) = queue().await;
    let back = |body| entry(body, TargetQueue::Source(Duration::ZERO));
    let good = replacement(vec![back("{}"), entry("{}", TargetQueue::DeadLetter)]);
    let bad = replacement(vec![back("{}"), entry("refuse", TargetQueue::DeadLetter)]);
    let results = queue.replace(vec![good, bad, replacement(Vec::new())]).await;
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let urls: Vec<Value> = sent(&requests).iter().map(|request| request["QueueUrl"].clone()).collect();
    assert_eq!(urls, ["https://sqs/SegmentQueue", "https://sqs/SegmentDeadLetters"]);
}

#[tokio::test]
async fn a_call_that_fails_is_the_result_of_each_of_its_messages() {
    let (aws, _) = start(|_| Some((403, "{}".to_owned()))).await;
    let queue = aws.queue("https://sqs/q", "https://sqs/d");
    let results = queue.replace(vec![dead("a"), dead("b")]).await;
    assert!(results.len() == 2 && results.iter().all(Result::is_err));
}

#[tokio::test]
async fn a_secret_is_read_as_text_or_bytes_and_must_hold_something() {
    for (answer, expected) in [
        (json!({"SecretString": "{\"default\":\"k\"}"}), Some("{\"default\":\"k\"}")),
        (json!({"SecretBinary": "aw=="}), Some("k")),
        (json!({}), None),
    ] {
        let (aws, requests) = start(move |_| Some((200, answer.to_string()))).await;
        assert_eq!(aws.secret("arn").fetch().await.ok().as_deref(), expected);
        assert_eq!(sent(&requests), [json!({"SecretId": "arn"})]);
    }
}
