//! The secret with the webhooks is missing, wrong or changed.

use std::time::Duration;

use platform::secrets::{MIN_INTERVAL, TIME_TO_LIVE};
use serde_json::json;
use testkit::{Answer, FakeServer, assert_attributes};

use crate::support::{World, name, plain, settings, taken, taken_sorted};

#[tokio::test]
async fn a_secret_that_cannot_be_used_keeps_messages_waiting_and_loses_none() {
    let fake = FakeServer::healthy().await;
    let good = settings([plain(&fake)]);
    let unusable = [None, Some("not json"), Some("{}"), Some(r#"{"webhooks":[{"url":"ftp://a.example"}]}"#)];
    for text in unusable {
        let world = World::new(&good);
        text.map_or_else(|| world.secret.take_away(), |text| world.secret.set(text));
        world.engine.destination().settings().await;
        world.publish_all(["1", "2"]).await;
        world.publish("not json").await;
        // Longer than the window: waiting for a secret does not count.
        for _ in 0..30 {
            assert!(world.poll(10).await.is_empty());
            world.clock.advance(Duration::from_secs(600));
        }
        assert_eq!(world.queue.depth().await.unwrap(), 2, "{text:?}");
        assert_eq!(world.dead_letters().await.len(), 1, "no secret makes it a message");
        let queued = world.queued().await;
        assert!(queued.iter().all(|(_, attributes)| attributes.len() == 3), "{queued:?}");
        assert_attributes(&queued[0].1, &[("enteredAt", "2026-11-21T04:00:00.000Z")]);
        world.secret.set(good.to_string());
        world.drain().await;
        assert_eq!(world.dead_letters().await.len(), 1);
    }
    assert_eq!(taken_sorted(&fake), ["1", "1", "1", "1", "2", "2", "2", "2"]);
}

#[tokio::test]
async fn changed_settings_apply_to_the_next_messages() {
    let (old, new) = (FakeServer::healthy().await, FakeServer::healthy().await);
    let world = World::new(&settings([plain(&old)]));
    world.publish_all(["1"]).await;
    world.poll(1).await;
    world.secret.set(settings([plain(&new)]).to_string());
    world.publish_all(["2"]).await;
    world.poll(1).await;
    world.clock.advance(TIME_TO_LIVE);
    world.publish_all(["3"]).await;
    world.poll(1).await;
    assert_eq!((taken(&old), taken(&new)), (vec!["1".to_owned(), "2".to_owned()], vec!["3".to_owned()]));
}

#[tokio::test]
async fn a_secret_that_becomes_unusable_leaves_the_webhooks_as_they_were() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&settings([plain(&fake)]));
    for (id, text) in [("1", None), ("2", Some("{}")), ("3", Some("not json"))] {
        world.publish_all([id]).await;
        assert!(world.poll(1).await.is_empty());
        text.map_or_else(|| world.secret.take_away(), |text| world.secret.set(text));
        world.clock.advance(TIME_TO_LIVE);
    }
    assert_eq!(taken(&fake), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_webhook_that_answers_401_gets_the_next_message_with_its_new_headers() {
    let fake = FakeServer::start(|request| match request.header("x-token") {
        Some("old") => Answer::status(401),
        _ => Answer::ok(),
    })
    .await;
    let with = |token: &str| settings([json!({ "url": fake.url(), "headers": { "X-Token": token } })]);
    let world = World::new(&with("old"));
    world.engine.destination().settings().await;
    world.secret.set(with("new").to_string());
    world.clock.advance(MIN_INTERVAL);
    for id in ["1", "2"] {
        world.publish_all([id]).await;
        world.poll(1).await;
    }
    assert_eq!(taken(&fake), ["2"]);
    let dead = world.dead_letters().await;
    assert_eq!(dead.len(), 1);
    assert_attributes(&dead[0].1, &[("failure", "client_error"), ("status", "401")]);
    world.redrive().await;
    world.drain().await;
    assert_eq!(taken(&fake), ["2", "1"]);
}

#[tokio::test]
async fn a_waiting_message_is_sent_with_the_webhooks_new_headers_and_mode() {
    let fake = FakeServer::answering([Answer::status(503)]).await;
    let world = World::new(&settings([plain(&fake)]));
    world.publish_all(["1"]).await;
    world.poll(1).await;
    world.set(&settings([json!({ "url": fake.url(), "headers": { "X-Token": "new" }, "batchSize": 10 })]));
    world.drain().await;
    let request = fake.requests().remove(1);
    assert_eq!(request.header("x-token"), Some("new"));
    assert!(request.body.starts_with('['), "{}", request.body);
    assert_eq!(taken(&fake), ["1"]);
}

#[tokio::test]
async fn waiting_messages_survive_a_change_of_the_success_setting() {
    let [one, other] =
        [FakeServer::start(|_| Answer::status(503)).await, FakeServer::start(|_| Answer::status(503)).await];
    let all = settings([plain(&one), plain(&other)]);
    let mut any = all.clone();
    any["success"] = json!("any");
    let world = World::new(&all);
    world.publish_all(["1"]).await;
    world.poll(1).await;
    world.set(&any);
    world.publish_all(["2"]).await;
    world.poll(10).await;
    let queued = world.queued().await;
    let mut webhooks: Vec<Option<&String>> =
        queued.iter().map(|(_, attributes)| attributes.get("webhook")).collect();
    webhooks.sort();
    let (one_name, other_name) = (name(&one), name(&other));
    let mut expected = [None, Some(&one_name), Some(&other_name)];
    expected.sort();
    assert_eq!(webhooks, expected);
    world.set(&all);
    one.set(|_| Answer::ok());
    other.set(|_| Answer::ok());
    world.clock.advance(Duration::from_secs(900));
    world.drain().await;
    assert_eq!(
        (taken_sorted(&one), taken_sorted(&other)),
        (["1", "2"].map(str::to_owned).to_vec(), ["1", "2"].map(str::to_owned).to_vec())
    );
}
