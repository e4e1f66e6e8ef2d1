//! Whatever fails on the way, no deletion is lost, and Segment is never asked for more than the month's users.
//!
//! Each seed makes a plan of faults: the Public API fails in every way it can, queue and quota refuse, providers
//! deliver twice, the process is killed in mid-batch, days pass. Then all is well again, and the books must balance.
//! `CONSERVATION_SEEDS=n` runs n seeds, `CONSERVATION_SEED=s` that one alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use fastrand::Rng;
use jiff::Timestamp;
use platform::{clock::Clock, embedded::DeadLetter};
use serde_json::Value;
use testkit::{Answer, FakeServer, Request};

use crate::support::{VISIBILITY, World, delete, token, users};

#[test]
fn every_deleted_user_is_regulated_within_the_months_limit_or_lies_in_the_dead_letter_queue() {
    testkit::for_each_seed(200, run);
}

async fn run(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let mut faults = Rng::with_seed(seed.wrapping_add(1 << 32));
    let fake = FakeServer::start(move |request| refusal(request).unwrap_or_else(|| fault(&mut faults))).await;
    let limit = random.u64(20..80);
    let mut world = World::new(&fake, limit).await;
    let mut months = Months::default();
    let mut deleted = BTreeSet::new();
    for _ in 0..random.usize(3..12) {
        for _ in 0..random.usize(0..12) {
            let id = format!("{}-{}", ["good", "bad"][usize::from(random.u8(..) < 16)], deleted.len());
            let write_key = ["default", "app", "shop"][random.usize(..3)];
            for _ in 0..=usize::from(random.u8(..) < 40) {
                world.publish(&delete(&id), write_key).await;
            }
            deleted.insert(id);
        }
        world.flaky.failures.set(u32::from(random.u8(..) < 30));
        world.quota.failures.set(u32::from(random.u8(..) < 30));
        let most = random.u32(1..20);
        if random.u8(..) < 60 {
            // Killed at any await: before the call, between the answer and the delete, or after all of it.
            let alive = random.usize(0..60);
            tokio::select! {
                biased;
                () = async { for _ in 0..alive { tokio::task::yield_now().await } } => {}
                _ = world.poll(most) => {}
            }
            months.note(&world, &fake);
            world = world.restarted(&fake).await;
        } else {
            world.poll(most).await;
        }
        months.note(&world, &fake);
        let days = if random.u8(..) < 40 { random.u64(1..9) } else { 0 };
        world.clock.advance(Duration::from_secs(days * 86_400 + random.u64(0..600)));
    }
    fake.set(|request| refusal(request).unwrap_or_else(Answer::ok));
    world.flaky.failures.set(0);
    world.quota.failures.set(0);
    world.clock.advance(VISIBILITY);
    while world.queue.depth().await.unwrap() > 0 {
        world.poll(50).await;
        months.note(&world, &fake);
        // Longer than any wait, so that each poll finds every message.
        world.clock.advance(Duration::from_secs(6 * 3_600));
    }
    for (month, users) in &months.users {
        assert!(*users as u64 <= limit, "{users} of {limit} in {month:?}");
    }
    balance(&world, &fake, &deleted).await;
}

/// How many users each token's requests of a month held that were taken.
#[derive(Default)]
struct Months {
    seen: usize,
    users: BTreeMap<(String, String), usize>,
}

impl Months {
    /// Counts what came since the last time, before the clock goes on.
    fn note(&mut self, world: &World, fake: &FakeServer) {
        let (requests, month) = (fake.requests(), world.clock.now().to_string()[..7].to_owned());
        for request in requests[self.seen..].iter().filter(|request| request.taken) {
            *self.users.entry((token(request).to_owned(), month.clone())).or_default() +=
                users(request).len();
        }
        self.seen = requests.len();
    }
}

async fn balance(world: &World, fake: &FakeServer, deleted: &BTreeSet<String>) {
    let mut ended = BTreeSet::new();
    for request in fake.requests().iter().filter(|request| request.taken) {
        let users = users(request);
        assert_eq!(users.iter().collect::<BTreeSet<_>>().len(), users.len(), "each user once");
        for user in users {
            assert!(deleted.contains(&user) && user.starts_with("good-"), "{user} was not to be regulated");
            ended.insert(user);
        }
    }
    for DeadLetter { body, attributes, .. } in world.queue.dead_letters(u32::MAX).await.unwrap() {
        let message: Value = serde_json::from_str(&body).unwrap();
        let user = message["userId"].as_str().unwrap().to_owned();
        assert_eq!(body, delete(&user), "it was changed");
        match attributes["failure"].as_str() {
            "expired" => {
                let at = |name: &str| attributes[name].parse::<Timestamp>().unwrap();
                let hours = at("failedAt").duration_since(at("since")).as_hours();
                assert!(hours >= 13 * 24, "{user} was given up after {hours} hours");
            }
            other => {
                assert!(user.starts_with("bad-") && other == "client_error", "{user} was given up: {other}");
            }
        }
        ended.insert(user);
    }
    let lost: Vec<&String> = deleted.iter().filter(|user| !ended.contains(*user)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

/// Segment refuses a call with a bad user in it for good.
fn refusal(request: &Request) -> Option<Answer> {
    users(request).iter().any(|user| user.starts_with("bad-")).then(|| Answer::status(400))
}

fn fault(random: &mut Rng) -> Answer {
    match random.u8(..100) {
        0..10 => Answer::status([500, 502, 503, 504][random.usize(..4)]),
        10..15 => Answer::rate_limited(random.u64(0..1_000).to_string()),
        15..18 => Answer::rate_limited("Sat, 21 Nov 2026 04:30:00 GMT"),
        18..22 => Answer::status([429, 408][random.usize(..2)]),
        22..30 => Answer::ResetBefore,
        30..38 => Answer::ResetAfter,
        38..40 => Answer::EndlessBody,
        40..42 => Answer::Late(Duration::from_secs(1)),
        42..45 => Answer::status([401, 403][random.usize(..2)]),
        _ => Answer::ok(),
    }
}
