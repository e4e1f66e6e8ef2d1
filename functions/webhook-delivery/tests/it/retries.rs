//! When a message is retried, and for which webhook.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use platform::clock::{Clock, HeldClock};
use serde_json::json;
use testkit::{Answer, FakeServer, VISIBILITY, assert_attributes};

use crate::support::{World, name, plain, settings, taken, track};

const HOUR: Duration = Duration::from_secs(3_600);

/// Sets the answer to every request and records the times.
fn note(fake: &FakeServer, clock: &Arc<HeldClock>, answer: Answer) -> Arc<Mutex<Vec<Timestamp>>> {
    let times: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
    let (noted, clock) = (times.clone(), clock.clone());
    fake.set(move |_| {
        noted.lock().unwrap().push(clock.now());
        answer.clone()
    });
    times
}

#[tokio::test]
async fn webhooks_that_took_it_never_get_it_again_while_the_failing_one_is_retried() {
    let [first, failing, last] =
        [FakeServer::healthy().await, FakeServer::healthy().await, FakeServer::healthy().await];
    let world = World::new(&settings([plain(&first), plain(&failing), plain(&last)]));
    let start = world.clock.now();
    let answers = [Answer::status(500), Answer::ResetBefore, Answer::status(429)];
    let mut answers = answers.into_iter();
    failing.set(move |_| answers.next().unwrap_or_else(Answer::ok));
    world.publish_all(["1"]).await;
    for attempts in ["1", "2", "3"] {
        world.skip().await;
        assert!(world.poll(10).await.is_empty());
        let queued = world.queued().await;
        assert_eq!(queued.len(), 1);
        assert_eq!(queued[0].0, track("1"));
        let since = segment::timestamp::format(start);
        assert_attributes(
            &queued[0].1,
            &[
                ("webhook", &name(&failing)),
                ("attempts", attempts),
                ("since", &since),
                ("writeKey", "default"),
                ("type", "track"),
            ],
        );
    }
    world.drain().await;
    assert_eq!(failing.requests().len(), 4);
    for fake in [&first, &failing, &last] {
        assert_eq!(taken(fake), ["1"]);
    }
    assert_eq!(world.dead_letters().await, []);
}

#[tokio::test]
async fn a_requested_wait_is_kept_to_the_second_in_both_forms() {
    for wish in ["120", "Sat, 21 Nov 2026 04:02:00 GMT"] {
        let fake = FakeServer::answering([Answer::rate_limited(wish)]).await;
        let world = World::new(&settings([plain(&fake)]));
        world.publish_all(["1"]).await;
        world.poll(1).await;
        world.clock.advance(Duration::from_secs(119));
        world.poll(1).await;
        assert_eq!(fake.requests().len(), 1, "{wish}");
        world.clock.advance(Duration::from_secs(1));
        world.poll(1).await;
        assert_eq!(taken(&fake), ["1"], "{wish}");
    }
}

#[tokio::test]
async fn a_requested_wait_beyond_the_queues_longest_delay_takes_several_hops_and_no_attempt() {
    for wish in ["3600", "Sat, 21 Nov 2026 05:00:00 GMT"] {
        let fake = FakeServer::answering([Answer::rate_limited(wish)]).await;
        let world = World::new(&settings([plain(&fake)]));
        let start = world.clock.now();
        world.publish_all(["1"]).await;
        world.poll(1).await;
        let mut hops = 0;
        while world.skip().await && world.seconds_since(start) < 3_600 {
            world.poll(1).await;
            hops += 1;
            assert_eq!(fake.requests().len(), 1, "nothing is sent before its time");
        }
        assert_eq!((hops, world.seconds_since(start)), (3, 3_600));
        world.poll(1).await;
        assert_eq!(taken(&fake), ["1"]);
        assert_eq!(world.queued().await, []);
    }
}

#[tokio::test]
async fn a_message_that_is_not_due_waits_on_while_the_secret_cannot_be_read() {
    let fake = FakeServer::answering([Answer::rate_limited("3600")]).await;
    let world = World::new(&settings([plain(&fake)]));
    let start = world.clock.now();
    world.publish_all(["1"]).await;
    world.poll(1).await;
    // A process that starts without the secret knows no webhook.
    let text = settings([plain(&fake)]).to_string();
    world.secret.take_away();
    let world = world.restarted().await;
    world.clock.advance(Duration::from_secs(900));
    world.poll(1).await;
    world.secret.set(text);
    world.drain().await;
    assert_eq!(taken(&fake), ["1"]);
    assert_eq!(world.seconds_since(start), 3_600);
}

#[tokio::test]
async fn a_message_is_retried_for_four_hours_and_then_dead_lettered() {
    let [healthy, failing, other] =
        [FakeServer::healthy().await, FakeServer::healthy().await, FakeServer::healthy().await];
    let world = World::new(&settings([plain(&healthy), plain(&failing), plain(&other)]));
    let times = note(&failing, &world.clock, Answer::status(503));
    let start = world.clock.now();
    world.publish_all(["1"]).await;
    world.drain().await;
    assert_eq!(world.seconds_since(start), 4 * 3_600, "neither sooner nor later");
    let times: Vec<Duration> =
        times.lock().unwrap().iter().map(|time| time.duration_since(start).unsigned_abs()).collect();
    assert_eq!(times[0], Duration::ZERO);
    assert!(*times.last().unwrap() >= 3 * HOUR, "{times:?}");
    assert!((23..=90).contains(&times.len()), "{} attempts", times.len());
    for (index, pair) in times.windows(2).enumerate() {
        let doubled = Duration::from_secs(5) * 2_u32.pow(u32::try_from(index.min(8)).unwrap());
        // One wait, and another one if the breaker was open at its end.
        let longest = doubled.min(Duration::from_secs(900)) * 2 + Duration::from_secs(60);
        assert!(pair[1] - pair[0] <= longest, "attempt {index}: {times:?}");
    }
    let mut dead = world.dead_letters().await;
    assert_eq!(dead.len(), 1);
    let (body, attributes) = dead.remove(0);
    assert_eq!(body, track("1"));
    assert_attributes(
        &attributes,
        &[
            ("webhook", &name(&failing)),
            ("failure", "expired"),
            ("attempts", &times.len().to_string()),
            ("since", "2026-11-21T04:00:00.000Z"),
            ("failedAt", "2026-11-21T08:00:00.000Z"),
        ],
    );
    assert_eq!([taken(&healthy), taken(&other)], [["1"], ["1"]]);
}

#[tokio::test]
async fn with_an_empty_window_there_is_one_attempt() {
    let (failing, healthy) = (FakeServer::start(|_| Answer::status(503)).await, FakeServer::healthy().await);
    let mut settings = settings([plain(&failing), plain(&healthy)]);
    settings["retryHours"] = json!(0);
    let world = World::new(&settings);
    world.publish_all(["1"]).await;
    world.poll(1).await;
    assert_eq!(world.queue.depth().await.unwrap(), 0);
    assert_eq!(failing.requests().len(), 1);
    let reason = "it was retried for the whole retry window; at its end the webhook answered 503";
    let (_, attributes) = world.dead_letters().await.remove(0);
    assert_attributes(
        &attributes,
        &[("failure", "expired"), ("status", "503"), ("attempts", "1"), ("reason", reason)],
    );
}

#[tokio::test]
async fn with_an_empty_window_a_message_still_waits_for_its_one_attempt() {
    let fake = FakeServer::answering(std::iter::repeat_n(Answer::status(503), 5)).await;
    let mut settings = settings([plain(&fake)]);
    settings["retryHours"] = json!(0);
    let world = World::new(&settings);
    world.publish_all(["1", "2", "3", "4", "5"]).await;
    world.poll(10).await;
    world.publish_all(["6"]).await;
    world.poll(10).await;
    assert_eq!((fake.requests().len(), world.queue.depth().await.unwrap()), (5, 1), "it is not called now");
    world.drain().await;
    assert_eq!(taken(&fake), ["6"]);
    assert_eq!(world.dead_letters().await.len(), 5);
}

#[tokio::test]
async fn a_webhook_that_stays_dead_does_not_hold_messages_forever() {
    let fake = FakeServer::start(|_| Answer::status(503)).await;
    let world = World::new(&settings([plain(&fake)]));
    let start = world.clock.now();
    let ids: Vec<String> = (0..20).map(|id| id.to_string()).collect();
    world.publish_all(&ids).await;
    world.drain().await;
    assert_eq!(world.seconds_since(start), 4 * 3_600);
    let dead = world.dead_letters().await;
    assert_eq!(dead.len(), 20);
    for (_, attributes) in dead {
        let expected = [("failure", "expired"), ("failedAt", "2026-11-21T08:00:00.000Z")];
        assert_attributes(&attributes, &expected);
    }
}

#[tokio::test]
async fn a_requested_wait_beyond_the_window_ends_with_it() {
    let fake = FakeServer::start(|_| Answer::rate_limited("86400")).await;
    let mut settings = settings([plain(&fake)]);
    settings["retryHours"] = json!(0.5);
    let world = World::new(&settings);
    let start = world.clock.now();
    world.publish_all(["1"]).await;
    world.drain().await;
    assert_eq!(world.seconds_since(start), 1_800);
    assert_eq!(fake.requests().len(), 2, "the first and the last");
    assert_attributes(&world.dead_letters().await[0].1, &[("failure", "expired"), ("status", "429")]);
}

#[tokio::test]
async fn a_message_that_the_queue_did_not_take_is_reported_and_comes_back() {
    let healthy = FakeServer::healthy().await;
    let failing = FakeServer::answering([Answer::status(503), Answer::status(410)]).await;
    let world = World::new(&settings([plain(&healthy), plain(&failing)]));
    world.publish_all(["1"]).await;
    world.publish("not json").await;
    world.flaky.failures.set(1);
    assert_eq!(world.poll(10).await.len(), 2);
    assert_eq!(world.queue.depth().await.unwrap(), 2);
    world.clock.advance(VISIBILITY);
    world.drain().await;
    assert_eq!(taken(&healthy), ["1", "1"], "it was not known any more who had it");
    let failures: Vec<String> =
        world.dead_letters().await.into_iter().map(|(_, attributes)| attributes["failure"].clone()).collect();
    assert_eq!(failures.len(), 2);
    assert!(failures.contains(&"invalid".to_owned()) && failures.contains(&"client_error".to_owned()));
}

#[tokio::test]
async fn a_delivered_message_is_not_reported_while_the_queue_fails_for_another() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&settings([plain(&fake)]));
    world.publish_all(["1"]).await;
    world.publish("not json").await;
    world.flaky.failures.set(1);
    assert_eq!(world.poll(10).await.len(), 1);
    world.clock.advance(VISIBILITY);
    world.drain().await;
    assert_eq!(taken(&fake), ["1"]);
}
