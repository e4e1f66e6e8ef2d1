//! Messages that the subscription's filter should have kept from the queue.

use serde_json::json;
use testkit::{FakeServer, record, recorded};

use crate::support::{track, world};

#[tokio::test]
async fn a_message_that_the_filter_refuses_is_dropped_and_counted() {
    for (attributes, wanted) in [
        (&[("type", "track")][..], true),
        (&[("type", "track"), ("notFor", "webhooks")], true),
        (&[("type", "track"), ("notFor", "segment")], false),
        (&[("type", "delete")], false),
        // These waited for another attempt, or were in the dead-letter queue.
        (&[("type", "track"), ("attempts", "2"), ("since", "2026-11-21T03:59:00Z")], true),
        (&[("type", "delete"), ("attempts", "2"), ("since", "2026-11-21T03:59:00Z")], false),
        (&[("type", "track"), ("failure", "expired"), ("reason", "It waited for 13 days.")], true),
        (&[("type", "delete"), ("failure", "invalid"), ("reason", "It is no message.")], false),
        // These were put into the queue by hand.
        (&[], true),
        (&[("writeKey", "default")], true),
    ] {
        let fake = FakeServer::healthy().await;
        let world = world(&fake);
        world.publish_with(&track("1"), attributes).await;
        record();
        assert!(world.poll(10).await.is_empty());
        assert_eq!(fake.taken().len(), usize::from(wanted), "{attributes:?}");
        let is_ignored = recorded().contains(&json!({"Ignored": 1, "Reason": "filtered"}));
        assert_eq!(is_ignored, !wanted, "{attributes:?}");
        assert_eq!(world.queue.depth().await.unwrap(), 0, "{attributes:?}");
        assert_eq!(world.queue.dead_letter_depth().await.unwrap(), 0, "{attributes:?}");
    }
}

#[tokio::test]
async fn a_refused_message_does_not_hold_up_the_others_of_its_batch() {
    let fake = FakeServer::healthy().await;
    let world = world(&fake);
    for (id, message_type) in [("1", "track"), ("2", "delete"), ("3", "track"), ("4", "delete")] {
        world.publish_with(&track(id), &[("type", message_type)]).await;
    }
    record();
    world.poll(10).await;
    assert_eq!(fake.requests().len(), 1);
    assert_eq!(fake.taken().len(), 2);
    assert_eq!(recorded()[0], json!({"Ignored": 2, "Reason": "filtered"}));
}
