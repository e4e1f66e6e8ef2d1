//! Whatever fails on the way, no accepted message is lost, invented or changed.
//!
//! Each seed makes a plan of faults: Segment fails in every way it can, the queue refuses, providers deliver
//! twice, the process is killed in mid-batch. Then all is well again, and the books must balance.
//! `CONSERVATION_SEEDS=n` runs n seeds, `CONSERVATION_SEED=s` that one alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
    time::Duration,
};

use fastrand::Rng;
use platform::embedded::DeadLetter;
use serde_json::Value;
use testkit::{Answer, FakeServer, Request};

use crate::support::{VISIBILITY, World};

#[test]
fn every_accepted_message_is_delivered_unchanged_or_lies_in_the_dead_letter_queue() {
    testkit::for_each_seed(200, run);
}

async fn run(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let mut faults = Rng::with_seed(seed.wrapping_add(1 << 32));
    let fake = FakeServer::start(move |request| refusal(request).unwrap_or_else(|| fault(&mut faults))).await;
    let mut world = World::new(&fake);
    let mut accepted: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..random.usize(3..10) {
        for _ in 0..random.usize(0..12) {
            let id = format!("{}-{}", ["good", "bad"][usize::from(random.u8(..) < 16)], accepted.len());
            let body = message(&id, &mut random);
            let write_key = ["default", "shop"][random.usize(..2)];
            for _ in 0..=usize::from(random.u8(..) < 40) {
                world.publish(&body, write_key).await;
            }
            accepted.insert(id, body);
        }
        world.flaky.failures.store(u32::from(random.u8(..) < 30), Ordering::SeqCst);
        let most = random.u32(1..20);
        if random.u8(..) < 60 {
            // Killed at any await: before the call, between the answer and the delete, or after all of it.
            let alive = random.usize(0..60);
            tokio::select! {
                biased;
                () = async { for _ in 0..alive { tokio::task::yield_now().await } } => {}
                _ = world.poll(most) => {}
            }
            world = world.restarted(&fake);
        } else {
            world.poll(most).await;
        }
        world.clock.advance(Duration::from_secs(random.u64(0..600)));
    }
    fake.set(|request| refusal(request).unwrap_or_else(Answer::ok));
    world.flaky.failures.store(0, Ordering::SeqCst);
    world.clock.advance(VISIBILITY);
    world.drain().await;
    balance(&world, &fake, &accepted).await;
}

async fn balance(world: &World, fake: &FakeServer, accepted: &BTreeMap<String, String>) {
    let mut ended = BTreeSet::new();
    for (_, message) in fake.taken() {
        let id = message["messageId"].as_str().unwrap();
        let body = accepted.get(id).unwrap_or_else(|| panic!("{id} was delivered and never accepted"));
        assert_eq!(serde_json::to_string(&message).unwrap(), *body, "{id} was changed");
        ended.insert(id.to_owned());
    }
    for DeadLetter { body, attributes, .. } in world.queue.dead_letters(u32::MAX).await.unwrap() {
        let message: Value = serde_json::from_str(&body).unwrap();
        let id = message["messageId"].as_str().unwrap();
        assert_eq!(accepted.get(id), Some(&body), "{id} was changed");
        assert!(id.starts_with("bad-"), "{id} was given up: {}", attributes["reason"]);
        assert_eq!(attributes["status"], "400");
        ended.insert(id.to_owned());
    }
    let lost: Vec<&String> = accepted.keys().filter(|id| !ended.contains(*id)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert_eq!(world.queue.depth().await.unwrap(), 0);
}

fn message(id: &str, random: &mut Rng) -> String {
    let text: String = (0..random.usize(0..20)).map(|_| random.char('\u{20}'..'\u{d7ff}')).collect();
    let text = serde_json::to_string(&text).unwrap();
    let number = ["12345678901234567890", "1.0", "1e+400", "-0", "0.10"][random.usize(..5)];
    format!(r#"{{"type":"track","n":{number},"event":"e","messageId":"{id}","userId":"u","text":{text}}}"#)
}

/// Segment refuses a batch with a bad message in it for good.
fn refusal(request: &Request) -> Option<Answer> {
    let bad = |message: &Value| message["messageId"].as_str().unwrap().starts_with("bad-");
    request.messages().iter().any(bad).then(|| Answer::status(400))
}

fn fault(random: &mut Rng) -> Answer {
    match random.u8(..100) {
        0..10 => Answer::status([500, 502, 503, 504][random.usize(..4)]),
        10..15 => Answer::rate_limited(random.u64(0..1_000).to_string()),
        15..18 => Answer::rate_limited("Sat, 21 Nov 2026 04:30:00 GMT"),
        18..22 => Answer::status(429),
        22..30 => Answer::ResetBefore,
        30..38 => Answer::ResetAfter,
        38..40 => Answer::EndlessBody,
        40..42 => Answer::Late(Duration::from_secs(1)),
        _ => Answer::ok(),
    }
}
