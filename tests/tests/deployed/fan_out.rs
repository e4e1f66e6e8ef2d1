//! From a Segment library through the topic to Segment and the webhooks.

use serde_json::{Value, json};
use testkit::FakeServer;

use crate::world::{self, ids, webhook};

#[tokio::test]
async fn a_message_reaches_the_destinations_that_its_integrations_allow() {
    let segment = FakeServer::healthy().await;
    let (one, two) = (FakeServer::healthy().await, FakeServer::healthy().await);
    let stack = world::with_webhooks(world::setup(&segment), &[webhook(&one), webhook(&two)]).up().await;

    let message = |id: &str, integrations: Value| {
        json!({
            "type": "track", "userId": "u1", "event": "e", "messageId": id,
            "properties": {"n": 12_345_678_901_234_567_890_u64},
            "integrations": integrations,
        })
    };
    let batch = [
        message("everywhere", json!({})),
        message("segment-1", json!({"All": false})),
        message("segment-2", json!({"Webhooks": false})),
        message("webhooks", json!({"Segment.io": false})),
        message("nowhere", json!({"All": false, "Segment.io": false})),
    ];
    let body = json!({"writeKey": "sample-write-key-not-secret", "batch": batch}).to_string();
    let reply =
        stack.http("POST", "/v1/batch", &[("content-type", "application/json")], body.as_bytes()).await;
    assert_eq!((reply.status, reply.body), (200, json!({"success": true})));

    assert_eq!(stack.deliver("SegmentDelivery").await.unwrap(), 3, "{}", stack.diagnosis().await);
    assert_eq!(stack.deliver("WebhookDelivery").await.unwrap(), 2, "{}", stack.diagnosis().await);
    assert_eq!(ids(&segment), ["everywhere", "segment-1", "segment-2"]);
    for webhook in [&one, &two] {
        assert_eq!(ids(webhook), ["everywhere", "webhooks"]);
    }
    let body = &one.requests()[0].body;
    assert!(body.contains(r#""n":12345678901234567000"#), "as JSON.stringify writes it: {body}");
    for queue in ["SegmentQueue", "SegmentDeadLetterQueue", "WebhookQueue", "WebhookDeadLetterQueue"] {
        assert!(stack.queue(queue).await.is_empty().await, "{queue}");
    }
    assert!(segment.taken().iter().all(|(write_key, _)| write_key == "sample-write-key-not-secret"));
}
