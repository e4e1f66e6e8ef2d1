//! identity-webhook, and what it publishes on its way to Segment.

use end_to_end::{Aws, Lambda, Queues, samples};
use fakes::FakeServer;
use serde_json::Value;

/// What the samples are signed with.
const SECRET: &str = r#"{"fusionauth":{"signingSecrets":["segue-sample-signing-secret-do-not-use"]}}"#;

async fn started(aws: &Aws, queues: &Queues) -> Lambda {
    let secret = aws.secret(SECRET).await;
    let table = aws.table().await;
    let environment = [
        ("TOPIC_ARN", queues.topic.as_str()),
        ("LEDGER_TABLE", &table),
        ("IDENTITY_SECRET_ARN", &secret),
        ("SEGUE_DEPLOYMENT", "arn:aws:cloudformation:eu-central-1:123456789012:stack/segue/1"),
        ("FUSIONAUTH_TENANTS", ""),
        ("MAPPINGS", ""),
    ];
    aws.function("identity-webhook", &environment).await
}

/// Status and body of an answer to API Gateway.
fn answer(text: &str) -> (u64, Value) {
    let answer: Value = serde_json::from_str(text).unwrap();
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer["statusCode"].as_u64().unwrap(), body)
}

#[tokio::test]
async fn every_sample_that_is_accepted_is_in_the_queue_and_then_at_segment() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let function = started(&aws, &queues).await;
    let mut accepted = 0;
    let mut deleted = 0;
    for (name, event) in samples("identity-webhook") {
        let (status, body) = answer(&function.invoke(event).await.unwrap());
        if name == "fusionauth.unsigned" {
            assert_eq!((status, &body["error"]), (401, &Value::from("not_authentic")), "{name}");
            continue;
        }
        assert_eq!(status, 200, "{name}: {body}\n{}", function.logs());
        accepted += body["accepted"].as_u64().unwrap();
        deleted += u64::from(name.contains("user.delete"));
    }
    assert!(accepted > deleted && deleted > 0, "the samples hold messages for Segment and others");

    let segment = FakeServer::healthy().await;
    let keys = aws.secret(r#"{"default":"k1"}"#).await;
    let delivery = [
        ("SEGMENT_ENDPOINT", segment.url()),
        ("WRITE_KEYS_SECRET_ARN", keys),
        ("QUEUE_URL", queues.queue.clone()),
        ("DEAD_LETTER_QUEUE_URL", queues.dead_letters.clone()),
    ];
    let delivery = aws
        .function("segment-delivery", &delivery.each_ref().map(|(name, value)| (*name, value.as_str())))
        .await;
    let delivered = queues.deliver(&delivery).await.unwrap();
    assert_eq!(delivered as u64, accepted - deleted, "a delete is not for Segment");
    let taken = segment.taken();
    assert_eq!(taken.len(), delivered);
    assert!(taken.iter().all(|(write_key, message)| write_key == "k1" && message["type"] != "delete"));
    assert!(queues.drain(&queues.dead_letters).await.is_empty());
    let logs = function.logs() + &delivery.logs();
    assert!(
        !logs.contains('@') && !logs.contains("do-not-use"),
        "neither mail addresses nor secrets in the logs"
    );
}

#[tokio::test]
async fn without_the_topic_the_sender_is_asked_to_come_again() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let function = started(&aws, &queues).await;
    let (_, login) = samples("identity-webhook")
        .into_iter()
        .find(|(name, _)| name == "fusionauth.user.login.success")
        .unwrap();
    drop(aws);
    let text = function.invoke(login).await.unwrap();
    let (status, _) = answer(&text);
    assert_eq!(status, 503, "{text}");
    assert!(text.to_ascii_lowercase().contains("retry-after"), "{text}");
}
