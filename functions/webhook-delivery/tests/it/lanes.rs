//! A slow or dead webhook delays no other: its breaker, and the number of its parallel requests.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use platform::clock::Clock;
use reqwest::dns::{Name, Resolve, Resolving};
use serde_json::json;
use testkit::{Answer, FakeServer, assert_attributes};
use webhook_delivery::{DEADLINE, Exchange, Options};

use crate::{
    support::{World, name, plain, settings, taken_sorted},
    tls,
};

/// As in `lane.rs`.
const CONCURRENCY: usize = 10;

fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|id| format!("{id:03}")).collect()
}

#[tokio::test]
async fn a_dead_webhook_is_not_called_after_five_failures_and_delays_no_other() {
    let (dead, healthy) = (FakeServer::start(|_| Answer::status(503)).await, FakeServer::healthy().await);
    let world = World::new(&settings([plain(&dead), plain(&healthy)]));
    let start = world.clock.now();
    world.publish_all(ids(0..5)).await;
    world.poll(10).await;
    assert_eq!(dead.requests().len(), 5);
    world.publish_all(ids(5..45)).await;
    for _ in 0..4 {
        world.poll(10).await;
    }
    assert_eq!(dead.requests().len(), 5, "it is known to be dead");
    assert_eq!(taken_sorted(&healthy), ids(0..45));
    assert_eq!(world.seconds_since(start), 0, "nobody waited");
    let queued = world.queued().await;
    assert_eq!(queued.len(), 45);
    for (_, attributes) in &queued {
        assert_attributes(attributes, &[("webhook", &name(&dead)), ("since", "2026-11-21T04:00:00.000Z")]);
    }
    let tried = queued.iter().filter(|(_, attributes)| attributes.contains_key("attempts")).count();
    assert_eq!(tried, 5, "no attempt is counted that was not made");
}

#[tokio::test]
async fn one_probe_at_a_time_detects_when_it_is_back() {
    let fake = FakeServer::start(|_| Answer::status(503)).await;
    let world = World::new(&settings([plain(&fake)]));
    world.publish_all(ids(0..60)).await;
    for _ in 0..6 {
        world.poll(10).await;
    }
    let before = fake.requests().len();
    assert!((5..=CONCURRENCY).contains(&before), "{before}");
    // The pause is 5 s at most, and no message waits longer than 15 minutes.
    world.clock.advance(Duration::from_secs(900));
    world.poll(60).await;
    assert_eq!(fake.requests().len(), before + 1, "the probe alone");
    fake.set(|_| Answer::ok());
    world.clock.advance(Duration::from_secs(900));
    world.poll(1).await;
    assert_eq!(fake.taken().len(), 1, "the probe");
    world.poll(60).await;
    assert_eq!(fake.taken().len(), 60, "and everybody else at once");
    assert_eq!(world.queue.depth().await.unwrap(), 0);
    assert_eq!(world.dead_letters().await, []);
}

#[tokio::test]
async fn a_webhook_that_is_dead_for_hours_costs_few_requests_and_gets_everything_in_the_end() {
    let fake = FakeServer::start(|_| Answer::status(503)).await;
    let world = World::new(&settings([plain(&fake)]));
    let start = world.clock.now();
    world.publish_all(ids(0..40)).await;
    while world.seconds_since(start) < 2 * 3_600 {
        world.skip().await;
        world.poll(10).await;
    }
    let minutes = 2 * 60;
    assert!(fake.requests().len() <= 10 + 2 * minutes, "{} requests", fake.requests().len());
    assert!(fake.requests().len() >= minutes / 4, "it is asked now and then: {}", fake.requests().len());
    fake.set(|_| Answer::ok());
    let repaired = world.clock.now();
    world.drain().await;
    assert_eq!(taken_sorted(&fake), ids(0..40));
    assert_eq!(world.dead_letters().await, []);
    assert!(world.seconds_since(repaired) <= 1_800, "{} s", world.seconds_since(repaired));
}

#[tokio::test]
async fn a_requested_wait_holds_the_webhooks_other_messages_and_no_other_webhook() {
    let (throttling, healthy) =
        (FakeServer::answering([Answer::rate_limited("300")]).await, FakeServer::healthy().await);
    let world = World::new(&settings([plain(&throttling), plain(&healthy)]));
    world.publish_all(["1"]).await;
    world.poll(1).await;
    world.publish_all(["2", "3"]).await;
    world.poll(10).await;
    world.clock.advance(Duration::from_secs(299));
    world.poll(10).await;
    assert_eq!(throttling.requests().len(), 1);
    assert_eq!(taken_sorted(&healthy), ["1", "2", "3"]);
    world.drain().await;
    assert_eq!(taken_sorted(&throttling), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_webhook_that_refuses_messages_counts_as_working() {
    let fake = FakeServer::start(|_| Answer::status(400)).await;
    let world = World::new(&settings([plain(&fake)]));
    world.publish_all(ids(0..30)).await;
    for _ in 0..3 {
        world.poll(10).await;
    }
    assert_eq!(fake.requests().len(), 30);
    assert_eq!(world.dead_letters().await.len(), 30);
}

#[tokio::test]
async fn a_webhook_gets_at_most_ten_requests_at_once() {
    let late = || FakeServer::start(|_| Answer::Late(Duration::from_millis(50)));
    let [one, batches] = [late().await, late().await];
    let world = World::new(&settings([plain(&one), json!({ "url": batches.url(), "batchSize": 2 })]));
    world.publish_all(ids(0..80)).await;
    // Two batches of the queue are handled at the same time.
    let failed = tokio::join!(world.poll(40), world.poll(40));
    assert_eq!(failed, (Vec::new(), Vec::new()));
    assert_eq!((one.peak(), batches.peak()), (CONCURRENCY, CONCURRENCY));
    assert_eq!((one.requests().len(), batches.requests().len()), (80, 40));
    assert_eq!((taken_sorted(&one), taken_sorted(&batches)), (ids(0..80), ids(0..80)));
}

#[tokio::test]
async fn a_webhook_that_never_answers_delays_only_the_batch_that_found_out() {
    let (silent, healthy) =
        (FakeServer::start(|_| Answer::Late(Duration::from_secs(60))).await, FakeServer::healthy().await);
    let world = World::new(&settings([plain(&silent), plain(&healthy)]));
    world.publish_all(ids(0..200)).await;
    let start = Instant::now();
    let finding_out = world.poll(20);
    let others = async {
        // The first batch holds all permits of the silent webhook by then.
        while silent.requests().len() < CONCURRENCY {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for _ in 0..9 {
            world.poll(20).await;
        }
        start.elapsed()
    };
    let (failed, others) = tokio::join!(finding_out, others);
    assert!(failed.is_empty());
    assert!(others < DEADLINE, "they waited for {others:?}");
    assert!(start.elapsed() >= DEADLINE, "the first batch ends with the deadline of its requests");
    assert_eq!(silent.requests().len(), CONCURRENCY);
    assert_eq!(taken_sorted(&healthy), ids(0..200));
    let queued = world.queued().await;
    assert_eq!(queued.len(), 200, "all of them wait for the one webhook");
    let tried = queued.iter().filter(|(_, attributes)| attributes.contains_key("attempts")).count();
    assert_eq!(tried, CONCURRENCY);
}

/// DNS with an unexpected fault.
struct Panicking;

impl Resolve for Panicking {
    fn resolve(&self, _: Name) -> Resolving {
        panic!("a fault of the code")
    }
}

#[tokio::test]
async fn a_panic_fails_only_its_own_delivery_for_now() {
    let healthy = FakeServer::healthy().await;
    let clock = testkit::clock();
    let exchange = Exchange::with(Options {
        allow_private: true,
        resolver: Arc::new(Panicking),
        roots: tls::roots(),
        deadline: DEADLINE,
        clock: clock.clone(),
    });
    let settings = settings([json!({ "url": "http://receiver.test/" }), plain(&healthy)]);
    let world = World::with(&settings, exchange.unwrap(), clock);
    world.publish_all(["1", "2"]).await;
    assert!(world.poll(10).await.is_empty());
    assert_eq!(taken_sorted(&healthy), ["1", "2"]);
    let queued = world.queued().await;
    assert_eq!(queued.len(), 2);
    for (_, attributes) in queued {
        assert!(attributes["webhook"].starts_with("receiver.test/"));
        assert_attributes(&attributes, &[("attempts", "1")]);
    }
}
