//! `"success":"any"`: a message is delivered when one webhook took it, as in Segment's classic destination.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use delivery::{Engine, Report, Watcher};
use platform::clock::Clock;
use serde_json::Value;
use testkit::{Answer, FakeServer, VISIBILITY, assert_attributes};
use webhook_delivery::Exchange;

use crate::support::{self, World, name, plain, settings, taken, track};

fn any(fakes: &[&FakeServer]) -> Value {
    let mut settings = settings(fakes.iter().map(|fake| plain(fake)));
    settings["success"] = "any".into();
    settings
}

async fn always(status: u16) -> FakeServer {
    FakeServer::start(move |_| Answer::status(status)).await
}

#[tokio::test]
async fn every_request_is_reported_and_a_webhook_that_is_not_called_is_not() {
    let [failing, healthy] = [always(503).await, FakeServer::healthy().await];
    let world = World::new(&any(&[&failing, &healthy]));
    let reports = Arc::<Mutex<Vec<Report>>>::default();
    let seen = reports.clone();
    let watcher = Watcher::new(move |report| seen.lock().unwrap().push(report));
    let exchange = Exchange::new(true, world.clock.clone()).unwrap();
    let destination = support::destination(&exchange, &world.secret, &world.clock).with_requests_shown();
    let engine = Engine::new(world.flaky.clone(), destination, world.clock.clone()).with_watcher(watcher);
    // After five failures in a row the first one is not called.
    for id in 0..6 {
        world.publish_all([id.to_string()]).await;
        let received = world.queue.receive(1, VISIBILITY).await.unwrap();
        world.queue.consume(received, |batch| engine.handle(batch)).await.unwrap();
    }
    let reports = reports.lock().unwrap();
    let of = |fake: &FakeServer| -> Vec<&Report> {
        reports.iter().filter(|report| report.destination == name(fake)).collect()
    };
    assert_eq!((of(&failing).len(), of(&healthy).len()), (5, 6));
    for (report, status, failure) in
        [(of(&failing)[4], 503, Some("server_error")), (of(&healthy)[4], 200, None)]
    {
        let [message] = &report.messages[..] else { panic!("one message") };
        assert_eq!((message.message_id.as_str(), message.status), ("4", Some(status)));
        assert_eq!(message.failure.as_ref().map(|failure| failure.code), failure);
        assert!(report.request.as_ref().unwrap().url.starts_with("http://127.0.0.1"));
    }
}

#[tokio::test]
async fn any_success_ends_it_and_the_others_do_not_get_it_again() {
    let [failing, refusing, healthy] = [always(503).await, always(410).await, FakeServer::healthy().await];
    let world = World::new(&any(&[&failing, &refusing, &healthy]));
    world.publish_all(["1"]).await;
    assert!(world.poll(1).await.is_empty());
    assert_eq!(world.queue.depth().await.unwrap(), 0);
    assert_eq!(world.dead_letters().await, []);
    for fake in [&failing, &refusing, &healthy] {
        assert_eq!(fake.requests().len(), 1);
    }
}

#[tokio::test]
async fn while_all_fail_the_message_goes_to_all_again() {
    let [one, other] = [always(503).await, always(500).await];
    let world = World::new(&any(&[&one, &other]));
    world.publish_all(["1"]).await;
    for attempts in ["1", "2", "3"] {
        world.skip().await;
        assert!(world.poll(1).await.is_empty());
        let queued = world.queued().await;
        assert_eq!(queued.len(), 1, "one entry, however many webhooks there are");
        assert_eq!(queued[0].0, track("1"));
        assert!(!queued[0].1.contains_key("webhook"));
        assert_attributes(&queued[0].1, &[("attempts", attempts), ("since", "2026-11-21T04:00:00.000Z")]);
    }
    assert_eq!((one.requests().len(), other.requests().len()), (3, 3));
    other.set(|_| Answer::ok());
    world.drain().await;
    assert_eq!((taken(&one), taken(&other)), (Vec::new(), vec!["1".to_owned()]));
    assert_eq!(world.dead_letters().await, []);
}

#[tokio::test]
async fn a_failing_webhook_may_still_take_a_message_that_another_refused() {
    let [refusing, recovering] = [always(410).await, FakeServer::answering([Answer::status(503)]).await];
    let world = World::new(&any(&[&refusing, &recovering]));
    world.publish_all(["1"]).await;
    world.drain().await;
    assert_eq!(taken(&recovering), ["1"]);
    assert_eq!(world.dead_letters().await, []);
}

#[tokio::test]
async fn a_message_that_all_refuse_is_dead_lettered_at_once_and_goes_to_all_after_a_redrive() {
    let [one, other] = [always(410).await, always(404).await];
    let world = World::new(&any(&[&one, &other]));
    world.publish_all(["1"]).await;
    assert!(world.poll(1).await.is_empty());
    let mut dead = world.dead_letters().await;
    assert_eq!(dead.len(), 1);
    let (body, attributes) = dead.remove(0);
    assert_eq!(body, track("1"));
    assert!(!attributes.contains_key("webhook"));
    assert_attributes(&attributes, &[("failure", "client_error"), ("status", "410"), ("attempts", "1")]);
    world.redrive().await;
    world.poll(1).await;
    assert_eq!((one.requests().len(), other.requests().len()), (2, 2));
}

#[tokio::test]
async fn it_expires_after_four_hours_too() {
    let [one, other] = [always(503).await, always(410).await];
    let world = World::new(&any(&[&one, &other]));
    let start = world.clock.now();
    world.publish_all(["1"]).await;
    world.drain().await;
    assert_eq!(world.seconds_since(start), 4 * 3_600);
    assert_attributes(
        &world.dead_letters().await[0].1,
        &[("failure", "expired"), ("failedAt", "2026-11-21T08:00:00.000Z")],
    );
}

#[tokio::test]
async fn the_longest_requested_wait_does_not_delay_the_other_webhooks() {
    let throttling = FakeServer::start(|_| Answer::rate_limited("7200")).await;
    let recovering = FakeServer::answering([Answer::rate_limited("60")]).await;
    let world = World::new(&any(&[&throttling, &recovering]));
    world.publish_all(["1"]).await;
    world.poll(1).await;
    world.clock.advance(Duration::from_secs(60));
    world.poll(1).await;
    assert_eq!(taken(&recovering), ["1"]);
    assert_eq!(throttling.requests().len(), 1, "its wish is obeyed all the same");
}

#[tokio::test]
async fn a_dead_webhook_is_not_called_for_each_message_and_the_other_takes_them() {
    let [dead, healthy] = [always(503).await, FakeServer::healthy().await];
    let world = World::new(&any(&[&dead, &healthy]));
    let ids: Vec<String> = (0..30).map(|id| id.to_string()).collect();
    for id in &ids {
        world.publish_all([id]).await;
        world.poll(1).await;
    }
    assert_eq!(taken(&healthy), ids);
    assert_eq!(dead.requests().len(), 5);
    assert_eq!(world.queue.depth().await.unwrap(), 0);
}
