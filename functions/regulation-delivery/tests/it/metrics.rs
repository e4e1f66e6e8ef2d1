//! The recorded metrics of a batch.

use std::time::Duration;

use serde_json::json;
use testkit::{Answer, FakeServer, record, recorded};

use crate::support::{World, delete};

#[tokio::test]
async fn age_and_time_count_from_the_first_entry_into_the_queue() {
    let fake = FakeServer::answering([Answer::status(503)]).await;
    let world = World::new(&fake, 10);
    world.publish(&delete("a"), "default").await;
    world.clock.advance(Duration::from_secs(5));
    world.publish(&delete("b"), "default").await;
    record();
    world.poll(10).await;
    let retried = json!({"Retried": 2, "Reason": "server_error"});
    assert_eq!(recorded(), [retried, json!({"MessageAge": 5})]);
    world.clock.advance(Duration::from_secs(900));
    world.poll(10).await;
    let times = [900_000, 905_000];
    assert_eq!(recorded(), [json!({"Delivered": 2, "DeliveryTime": times, "to": "regulation"})]);
}

#[tokio::test]
async fn a_message_that_waits_for_the_next_month_grows_older_without_an_attempt() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, 1);
    for user in ["a", "b"] {
        world.publish(&delete(user), "default").await;
    }
    record();
    world.poll(10).await;
    let delivered = json!({"Delivered": 1, "DeliveryTime": [0], "to": "regulation"});
    let waits = |age: u64| [json!({"Retried": 1, "Reason": "quota_used_up"}), json!({"MessageAge": age})];
    assert_eq!(recorded(), [&[delivered][..], &waits(0)].concat());
    for age in [900, 1_800] {
        world.clock.advance(Duration::from_secs(900));
        world.poll(10).await;
        assert_eq!(recorded(), waits(age));
    }
}

#[tokio::test]
async fn a_deletion_that_is_given_up_is_counted_by_its_reason() {
    let fake = FakeServer::answering([Answer::status(400)]).await;
    let world = World::new(&fake, 10);
    world.publish(&delete("a"), "default").await;
    world.publish("not json", "default").await;
    record();
    world.poll(10).await;
    let dead = |reason| json!({"DeadLettered": 1, "Reason": reason});
    assert_eq!(recorded(), [dead("client_error"), dead("invalid")]);
}
