//! The recorded metrics of a batch.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{Answer, FakeServer, record, recorded};

use crate::support::{World, name, plain, settings};

fn delivered(fake: &FakeServer, times: &[u64]) -> Value {
    json!({"Delivered": times.len(), "DeliveryTime": times, "to": name(fake)})
}

#[tokio::test]
async fn each_delivery_to_each_webhook_counts_with_the_time_from_the_first_entry_into_the_queue() {
    let [healthy, recovering] = [
        FakeServer::healthy().await,
        FakeServer::answering([Answer::status(503), Answer::status(503)]).await,
    ];
    let world = World::new(&settings([plain(&healthy), plain(&recovering)]));
    world.publish_all(["1"]).await;
    world.clock.advance(Duration::from_secs(3));
    world.publish_all(["2"]).await;
    record();
    world.poll(10).await;
    let retried = |count| json!({"Retried": count, "Reason": "server_error"});
    assert_eq!(recorded(), [delivered(&healthy, &[0, 3_000]), retried(2), json!({"MessageAge": 3})]);
    world.clock.advance(Duration::from_secs(900));
    world.poll(10).await;
    assert_eq!(recorded(), [delivered(&recovering, &[900_000, 903_000])]);
}

#[tokio::test]
async fn a_batch_that_is_put_back_together_is_as_old_as_its_oldest_message() {
    let fake = FakeServer::answering([Answer::status(503)]).await;
    let mut webhook = plain(&fake);
    webhook["batchSize"] = 10.into();
    let world = World::new(&settings([webhook]));
    world.publish_all(["1"]).await;
    world.clock.advance(Duration::from_secs(60));
    world.publish_all(["2"]).await;
    record();
    world.poll(10).await;
    let retried = json!({"Retried": 1, "Reason": "server_error"});
    assert_eq!(recorded(), [retried, json!({"MessageAge": 60})]);
    world.clock.advance(Duration::from_secs(900));
    world.poll(10).await;
    assert_eq!(recorded(), [delivered(&fake, &[960_000, 960_000])]);
}

#[tokio::test]
async fn a_message_that_waits_for_the_secret_grows_older_each_time_it_is_put_back() {
    let fake = FakeServer::healthy().await;
    let good = settings([plain(&fake)]);
    let world = World::new(&good);
    world.secret.take_away();
    world.publish_all(["1"]).await;
    record();
    for age in [0, 600, 1_200] {
        world.poll(10).await;
        let retried = json!({"Retried": 1, "Reason": "secret_unavailable"});
        assert_eq!(recorded(), [retried, json!({"MessageAge": age})]);
        world.clock.advance(Duration::from_secs(600));
    }
    world.secret.set(good.to_string());
    world.poll(10).await;
    assert_eq!(recorded(), [delivered(&fake, &[1_800_000])]);
}

#[tokio::test]
async fn with_any_a_message_counts_once() {
    let [failing, healthy] = [FakeServer::start(|_| Answer::status(503)).await, FakeServer::healthy().await];
    let mut settings = settings([plain(&failing), plain(&healthy)]);
    settings["success"] = "any".into();
    let world = World::new(&settings);
    world.publish_all(["1"]).await;
    world.clock.advance(Duration::from_secs(1));
    record();
    world.poll(10).await;
    assert_eq!(recorded(), [delivered(&healthy, &[1_000])]);
}

#[tokio::test]
async fn messages_that_no_webhook_wants_or_can_get_are_counted_by_reason() {
    let fake = FakeServer::healthy().await;
    let mut webhook = plain(&fake);
    webhook["types"] = json!(["identify"]);
    let world = World::new(&settings([webhook]));
    world.publish_all(["1", "2"]).await;
    world.publish("not json").await;
    record();
    world.poll(10).await;
    let ignored = json!({"Ignored": 2, "Reason": "no_webhook_wants_it"});
    assert_eq!(recorded(), [ignored, json!({"DeadLettered": 1, "Reason": "invalid"})]);
}
