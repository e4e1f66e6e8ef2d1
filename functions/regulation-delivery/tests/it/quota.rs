//! The month's quota.

use std::time::Duration;

use platform::clock::Clock;
use testkit::{Answer, FakeServer};

use crate::support::{World, delete, taken, users};

const NOVEMBER: &str = "regulations#default#2026-11";
const DECEMBER: &str = "regulations#default#2026-12";

async fn publish(world: &World, count: usize) {
    for number in 0..count {
        world.publish(&delete(&number.to_string()), "default").await;
    }
}

#[tokio::test]
async fn a_call_holds_5_000_users_at_most() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, 110_000);
    publish(&world, 5_001).await;
    assert!(world.poll(10_000).await.is_empty());
    let sizes: Vec<usize> = fake.requests().iter().map(|request| users(request).len()).collect();
    assert_eq!(sizes, [5_000, 1]);
    assert_eq!(world.used(NOVEMBER).await, 5_001);
}

#[tokio::test]
async fn users_beyond_the_months_limit_wait_for_the_next_month() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, 3);
    world.clock.advance(Duration::from_secs(6 * 86_400));
    publish(&world, 5).await;
    world.poll(10).await;
    assert_eq!((taken(&fake).len(), world.used(NOVEMBER).await), (3, 3));
    while world.clock.now() < "2026-12-01T00:00:00Z".parse().unwrap() {
        assert_eq!(taken(&fake).len(), 3, "nothing more in November");
        assert!(world.queue.dead_letters(u32::MAX).await.unwrap().is_empty());
        world.clock.advance(Duration::from_secs(900));
        world.poll(10).await;
    }
    let mut all = taken(&fake);
    all.sort();
    assert_eq!(all, ["0", "1", "2", "3", "4"]);
    assert_eq!((world.used(NOVEMBER).await, world.used(DECEMBER).await), (3, 2));
    assert_eq!(fake.requests().len(), 2, "to wait costs no calls");
}

#[tokio::test]
async fn a_user_who_would_wait_longer_than_the_queue_keeps_messages_is_dead_lettered_with_the_reason() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, 0);
    publish(&world, 1).await;
    for _ in 0..14 {
        world.poll(1).await;
        world.clock.advance(Duration::from_secs(86_400));
    }
    let dead = world.dead().await.remove(0);
    assert_eq!(dead["failure"], "expired");
    assert!(dead["reason"].contains("Segment takes no more regulations this month"), "{}", dead["reason"]);
    assert!(!dead.contains_key("attempts"), "there was none");
}

#[tokio::test]
async fn only_users_that_segment_cannot_have_counted_are_given_back() {
    for (answer, used) in [
        (Answer::status(400), 0),
        (Answer::status(404), 0),
        (Answer::status(429), 0),
        (Answer::status(401), 0),
        (Answer::status(500), 2),
        (Answer::status(204), 2),
        (Answer::ResetAfter, 2),
        (Answer::Late(Duration::from_secs(1)), 2),
        (Answer::ok(), 2),
    ] {
        let fake = FakeServer::start({
            let answer = answer.clone();
            move |_| answer.clone()
        })
        .await;
        let world = World::new(&fake, 110_000);
        publish(&world, 2).await;
        world.poll(2).await;
        assert_eq!(world.used(NOVEMBER).await, used, "{answer:?}");
    }
}

#[tokio::test]
async fn a_quota_that_does_not_answer_stops_the_calls_and_is_asked_again() {
    let fake = FakeServer::healthy().await;
    let world = World::new(&fake, 110_000);
    publish(&world, 2).await;
    world.api.quota_failures.set(1);
    world.poll(2).await;
    assert!(fake.requests().is_empty());
    world.drain().await;
    assert_eq!(taken(&fake).len(), 2);
}

#[tokio::test]
async fn an_outage_does_not_use_up_the_month() {
    let fake = FakeServer::start(|_| Answer::status(500)).await;
    let world = World::new(&fake, 110_000);
    publish(&world, 2_000).await;
    // A whole day.
    for _ in 0..24 * 12 {
        world.poll(2_000).await;
        world.clock.advance(Duration::from_secs(300));
    }
    let used = world.used(NOVEMBER).await;
    assert!((2_000..4_000).contains(&used), "the first call with all of them, then probes: {used}");
    fake.set(|_| Answer::ok());
    world.clock.advance(Duration::from_secs(900));
    world.drain().await;
    let mut all = taken(&fake);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 2_000);
}
