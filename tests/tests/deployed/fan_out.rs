//! From a Segment library through the topic to Segment and to the webhooks.

use end_to_end::{Aws, Lambda, Queues};
use fakes::FakeServer;
use serde_json::{Value, json};

use crate::{tracking_api, webhook_delivery};

async fn segment_delivery(aws: &Aws, queues: &Queues, segment: &FakeServer) -> Lambda {
    let keys = aws.secret(tracking_api::SECRET).await;
    let environment = [
        ("SEGMENT_ENDPOINT", segment.url()),
        ("WRITE_KEYS_SECRET_ARN", keys),
        ("QUEUE_URL", queues.queue.clone()),
        ("DEAD_LETTER_QUEUE_URL", queues.dead_letters.clone()),
    ];
    aws.function("segment-delivery", &environment.each_ref().map(|(name, value)| (*name, value.as_str())))
        .await
}

/// The ids of what a fake took, in order.
fn ids(fake: &FakeServer) -> Vec<String> {
    let taken = fake.taken().into_iter();
    let mut ids: Vec<_> = taken.map(|(_, one)| one["messageId"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn a_message_reaches_what_its_integrations_let_it_reach() {
    let aws = Aws::start().await;
    let (to_segment, to_webhooks) = (aws.queues().await, aws.webhook_queues().await);
    assert_eq!(to_segment.topic, to_webhooks.topic);
    let segment = FakeServer::healthy().await;
    let (one, two) = (FakeServer::healthy().await, FakeServer::healthy().await);
    let webhooks = [webhook_delivery::webhook(&one), webhook_delivery::webhook(&two)];
    let api = tracking_api::started(&aws, &to_segment, tracking_api::SECRET).await;
    let segment_delivery = segment_delivery(&aws, &to_segment, &segment).await;
    let webhook_delivery = webhook_delivery::started(&aws, &to_webhooks, &webhooks, true).await;

    let message = |id: &str, integrations: Value| {
        json!({
            "type": "track", "userId": "u1", "event": "e", "messageId": id,
            "properties": {"n": 12_345_678_901_234_567_890_u64},
            "integrations": integrations,
        })
    };
    let mut event = tracking_api::sample("batch-one-invalid");
    let batch = [
        message("everywhere", json!({})),
        message("segment-1", json!({"All": false})),
        message("segment-2", json!({"Webhooks": false})),
        message("webhooks", json!({"Segment.io": false})),
        message("nowhere", json!({"All": false, "Segment.io": false})),
    ];
    event["body"] = json!({"batch": batch}).to_string().into();
    let (status, _, body) = tracking_api::answer(&api, &event).await;
    assert_eq!((status, body), (200, json!({"success": true})));

    assert_eq!(to_segment.deliver(&segment_delivery).await.unwrap(), 3, "{}", segment_delivery.logs());
    assert_eq!(to_webhooks.deliver(&webhook_delivery).await.unwrap(), 2, "{}", webhook_delivery.logs());
    assert_eq!(ids(&segment), ["everywhere", "segment-1", "segment-2"]);
    for webhook in [&one, &two] {
        assert_eq!(ids(webhook), ["everywhere", "webhooks"]);
    }
    let body = &one.requests()[0].body;
    assert!(body.contains(r#""n":12345678901234567000"#), "as JSON.stringify writes it: {body}");
    for queues in [&to_segment, &to_webhooks] {
        assert!(queues.drain(&queues.queue).await.is_empty() && queues.delayed().await == 0);
        assert!(queues.drain(&queues.dead_letters).await.is_empty());
    }
    assert!(segment.taken().iter().all(|(write_key, _)| write_key == "sample-write-key-not-secret"));
}
