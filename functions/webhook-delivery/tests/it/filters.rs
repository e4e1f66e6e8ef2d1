//! Messages that the subscription's filter should have kept from the queue.

use serde_json::json;
use testkit::{Answer, FakeServer, record, recorded};

use crate::support::{World, plain, settings, taken_sorted, track};

#[tokio::test]
async fn a_message_that_the_filter_refuses_is_dropped_and_counted() {
    for (attributes, wanted) in [
        (&[("type", "track")][..], true),
        (&[("type", "delete")], true),
        (&[("type", "track"), ("notFor", "segment")], true),
        (&[("type", "track"), ("notFor", "webhooks")], false),
        // These waited for another attempt, or were in the dead-letter queue.
        (&[("type", "track"), ("attempts", "2"), ("since", "2026-11-21T03:59:00Z")], true),
        (&[("type", "track"), ("notFor", "webhooks"), ("attempts", "2")], false),
        (&[("type", "track"), ("failure", "expired"), ("reason", "It waited for four hours.")], true),
        (&[("type", "track"), ("notFor", "webhooks"), ("failure", "expired")], false),
        // These were put into the queue by hand.
        (&[], true),
        (&[("writeKey", "default")], true),
    ] {
        let fake = FakeServer::healthy().await;
        let world = World::new(&settings([plain(&fake)]));
        world.publish_with(&track("1"), attributes).await;
        record();
        assert!(world.poll(10).await.is_empty());
        assert_eq!(fake.taken().len(), usize::from(wanted), "{attributes:?}");
        let is_ignored = recorded().contains(&json!({"Ignored": 1, "Reason": "filtered"}));
        assert_eq!(is_ignored, !wanted, "{attributes:?}");
        assert!(world.queued().await.is_empty(), "{attributes:?}");
        assert!(world.dead_letters().await.is_empty(), "{attributes:?}");
    }
}

#[tokio::test]
async fn a_refused_message_is_dropped_while_the_secret_cannot_be_read() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&settings([plain(&fake)]));
    world.secret.take_away();
    world.publish_with(&track("1"), &[("type", "track"), ("notFor", "webhooks")]).await;
    world.publish_with(&track("2"), &[("type", "track")]).await;
    world.poll(10).await;
    let queued = world.queued().await;
    assert_eq!(queued.into_iter().map(|(body, _)| body).collect::<Vec<_>>(), [track("2")]);
}

#[tokio::test]
async fn a_batch_that_failed_goes_out_again_without_the_refused_message() {
    let fake = FakeServer::answering([Answer::status(503)]).await;
    let mut webhook = plain(&fake);
    webhook["batchSize"] = 10.into();
    let world = World::new(&settings([webhook]));
    for (id, attributes) in
        [("1", &[("type", "track")][..]), ("2", &[("notFor", "webhooks"), ("type", "track")])]
    {
        world.publish_with(&track(id), attributes).await;
    }
    world.publish_with(&track("3"), &[("type", "delete")]).await;
    world.drain().await;
    assert_eq!(taken_sorted(&fake), ["1", "3"]);
    assert!(world.dead_letters().await.is_empty());
}
