//! Messages that the subscription's filter should have kept from the queue.

use serde_json::json;
use testkit::{FakeServer, record, recorded};

use crate::support::{World, delete, taken};

#[tokio::test]
async fn a_message_that_the_filter_refuses_is_dropped_and_counted() {
    for (attributes, wanted) in [
        (&[("type", "delete")][..], true),
        (&[("type", "delete"), ("notFor", "webhooks")], true),
        (&[("type", "delete"), ("notFor", "segment")], false),
        (&[("type", "track")], false),
        // These waited for another attempt, or were in the dead-letter queue.
        (&[("type", "delete"), ("attempts", "2"), ("since", "2026-11-21T03:59:00Z")], true),
        (&[("type", "track"), ("attempts", "2"), ("since", "2026-11-21T03:59:00Z")], false),
        (&[("type", "delete"), ("failure", "token"), ("reason", "Segment refused the token.")], true),
        (&[("type", "track"), ("failure", "invalid"), ("reason", "It is no deletion.")], false),
        // These were put into the queue by hand.
        (&[], true),
        (&[("writeKey", "default")], true),
    ] {
        let fake = FakeServer::healthy().await;
        let world = World::new(&fake, 10);
        world.publish_with(&delete("a"), attributes).await;
        record();
        assert!(world.poll(10).await.is_empty());
        assert_eq!(taken(&fake).len(), usize::from(wanted), "{attributes:?}");
        let is_ignored = recorded().contains(&json!({"Ignored": 1, "Reason": "filtered"}));
        assert_eq!(is_ignored, !wanted, "{attributes:?}");
        assert_eq!(world.queue.depth().await.unwrap(), 0, "{attributes:?}");
        assert!(world.dead().await.is_empty(), "{attributes:?}");
    }
}

#[tokio::test]
async fn an_ordinary_message_does_not_fill_the_dead_letter_queue() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, 10);
    let ordinary = r#"{"type":"track","userId":"a","event":"e"}"#;
    world.publish_with(ordinary, &[("type", "track")]).await;
    world.publish(&delete("b"), "default").await;
    world.poll(10).await;
    assert_eq!(taken(&fake), ["b"]);
    assert!(world.dead().await.is_empty());
}
