//! The recorded metrics of a batch.

use std::time::Duration;

use serde_json::json;
use testkit::{Answer, FakeServer, record, recorded};

use crate::support::{World, track, world};

/// Returns a world in which a message waits in the queue for 2 s before it is received.
async fn after_two_seconds(fake: &FakeServer, ids: &[&str]) -> World {
    let world = world(fake);
    for id in ids {
        world.publish(&track(id), "default").await;
        world.clock.advance(Duration::from_secs(1));
    }
    record();
    world
}

#[tokio::test]
async fn each_delivered_message_has_the_time_from_its_entry_into_the_queue() {
    let fake = FakeServer::healthy().await;
    let world = after_two_seconds(&fake, &["1", "2"]).await;
    world.poll(10).await;
    assert_eq!(recorded(), [json!({"Delivered": 2, "DeliveryTime": [1_000, 2_000], "to": "segment"})]);
}

#[tokio::test]
async fn age_and_time_count_from_the_first_entry_however_often_a_message_is_put_back() {
    let fake = FakeServer::answering([Answer::status(503), Answer::status(503)]).await;
    let world = after_two_seconds(&fake, &["1", "2"]).await;
    for age in [2, 902] {
        world.poll(10).await;
        let retried = json!({"Retried": 2, "Reason": "server_error"});
        assert_eq!(recorded(), [retried, json!({"MessageAge": age})]);
        world.clock.advance(Duration::from_secs(900));
    }
    world.poll(10).await;
    let times = [1_801_000, 1_802_000];
    assert_eq!(recorded(), [json!({"Delivered": 2, "DeliveryTime": times, "to": "segment"})]);
}

#[tokio::test]
async fn a_message_that_is_held_without_an_attempt_grows_older_too() {
    let fake = FakeServer::answering([Answer::rate_limited("600")]).await;
    let world = after_two_seconds(&fake, &["1", "2"]).await;
    world.poll(1).await;
    assert_eq!(recorded()[1], json!({"MessageAge": 2}));
    world.poll(1).await;
    let [held] = recorded().try_into().unwrap();
    assert!(held["MessageAge"].as_u64() >= Some(20), "the batch was held for a while: {held}");
}

#[tokio::test]
async fn dead_letters_are_counted_by_reason_in_one_line_each() {
    let fake = FakeServer::healthy().await;
    let world = world(&fake);
    for body in ["not json", "{}", &track("1")] {
        world.publish(body, "default").await;
    }
    world.publish(&track("2"), "nobody").await;
    record();
    world.poll(10).await;
    let delivered = json!({"Delivered": 1, "DeliveryTime": [0], "to": "segment"});
    let retried = json!({"Retried": 1, "Reason": "no_write_key"});
    let dead = json!({"DeadLettered": 2, "Reason": "invalid"});
    assert_eq!(recorded(), [delivered, retried, dead, json!({"MessageAge": 0})]);
}

#[tokio::test]
async fn a_redriven_message_has_a_new_age() {
    let fake = FakeServer::answering([Answer::status(400)]).await;
    let world = after_two_seconds(&fake, &["1"]).await;
    world.poll(1).await;
    assert_eq!(recorded(), [json!({"DeadLettered": 1, "Reason": "client_error"})]);
    world.clock.advance(Duration::from_secs(86_400));
    world.redrive().await;
    world.poll(1).await;
    assert_eq!(recorded(), [json!({"Delivered": 1, "DeliveryTime": [0], "to": "segment"})]);
}
