//! Whatever fails on the way, no webhook misses an accepted message that it wants, gets one that it does not want,
//! or gets one changed.
//!
//! Each seed makes one to five webhooks and for each a plan of its own faults: it fails in every way it can, its
//! name is not found, its certificate is wrong. The queue refuses, stores a part, hands out twice; the process is
//! killed in mid-batch. Then all is well again, and the books must balance.
//! `CONSERVATION_SEEDS=n` runs n seeds, `CONSERVATION_SEED=s` that one alone.

mod books;
mod faults;

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use fastrand::Rng;
use platform::clock::HeldClock;
use segment::MessageType;
use serde_json::{Value, json};
use webhook_delivery::{Exchange, Options};

use self::{
    books::Books,
    faults::{Names, Receiver, Weather},
};
use crate::{
    support::{Hang, VISIBILITY, World},
    tls,
};

/// Long enough for an exchange on the loopback, short enough for many timeouts.
const DEADLINE: Duration = Duration::from_millis(70);

#[test]
fn every_webhook_gets_every_message_it_wants_unchanged_or_the_dead_letter_queue_has_it() {
    testkit::for_each_seed(60, run);
}

async fn run(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let weather = Weather::default();
    let mut receivers = Vec::new();
    for index in 0..random.usize(1..=5) {
        receivers.push(Receiver::start(index, &weather, &mut random).await);
    }
    let settings = settings(&mut receivers, &mut random);
    let clock = HeldClock::at("2026-11-21T04:00:00Z".parse().unwrap());
    let exchange = Exchange::with(Options {
        allow_private: true,
        resolver: Names::failing_in(&weather, random.fork()),
        roots: tls::roots(),
        deadline: DEADLINE,
        clock: clock.clone(),
    });
    let mut world = World::with(&settings, exchange.unwrap(), clock);
    let mut accepted: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..random.usize(3..10) {
        for _ in 0..random.usize(0..12) {
            let (id, body) = message(accepted.len(), &mut random);
            for _ in 0..=usize::from(random.u8(..) < 40) {
                world.publish(&body).await;
            }
            accepted.insert(id, body);
        }
        world = poll(world, &mut random).await;
        world.clock.advance(Duration::from_secs(random.u64(0..600)));
    }
    weather.clear();
    world.flaky.failures.store(0, Ordering::SeqCst);
    *world.flaky.torn.lock().unwrap() = None;
    world.clock.advance(VISIBILITY);
    world.drain().await;
    let books = Books::of(&world, &receivers, &settings, &accepted);
    books.balance().await;
    // What was parked is not lost: it can be brought back.
    // On a busy machine a deadline may pass all the same, and with a window of nothing that is the end of it.
    for _ in 0..20 {
        world.redrive().await;
        world.drain().await;
    }
    books.balance_after_redrive().await;
}

/// One or two polls, with whatever can come between.
async fn poll(world: World, random: &mut Rng) -> World {
    world.flaky.failures.store(u32::from(random.u8(..) < 30), Ordering::SeqCst);
    *world.flaky.torn.lock().unwrap() = (random.u8(..) < 50).then(|| random.fork());
    let most = random.u32(1..20);
    match random.u8(..) {
        // Killed at any await: before the calls, between them and their answers, or after all of it.
        0..50 => {
            let alive = Duration::from_micros(random.u64(0..12_000));
            let killed = tokio::time::Instant::now() + alive;
            tokio::select! {
                biased;
                () = async { while tokio::time::Instant::now() < killed { tokio::task::yield_now().await } } => {}
                _ = world.poll(most) => {}
            }
            world.restarted()
        }
        // Killed between the answers and the replacing, or between that and the deleting.
        50..80 => {
            *world.flaky.hangs.lock().unwrap() = Some([Hang::Before, Hang::After][random.usize(..2)]);
            tokio::select! {
                () = world.flaky.hung.notified() => {}
                _ = world.poll(most) => {}
            }
            world.restarted()
        }
        // Two at the same time.
        80..110 => {
            tokio::join!(world.poll(most), world.poll(most));
            world
        }
        // It takes so long that the queue hands the messages out again.
        110..130 => {
            let again = async {
                tokio::task::yield_now().await;
                world.clock.advance(VISIBILITY);
                world.poll(most).await
            };
            tokio::join!(world.poll(most), again);
            world
        }
        _ => {
            world.poll(most).await;
            world
        }
    }
}

fn settings(receivers: &mut [Receiver], random: &mut Rng) -> Value {
    let any = random.u8(..) < 50;
    let webhooks: Vec<Value> = receivers
        .iter()
        .map(|receiver| {
            let mut webhook = json!({ "url": receiver.url });
            if random.u8(..) < 80 {
                let count = random.usize(1..7);
                let types = random.choose_multiple(MessageType::ALL, count);
                webhook["types"] = types.into_iter().map(|one| one.as_str()).collect();
            }
            if !any && random.u8(..) < 100 {
                webhook["batchSize"] = random.u32(2..8).into();
            }
            webhook
        })
        .collect();
    let success = if any { "any" } else { "all" };
    let hours = [0.0, 0.05, 0.5, 4.0, 4.0][random.usize(..5)];
    json!({ "webhooks": webhooks, "success": success, "retryHours": hours, "sharedSecret": "shared" })
}

/// A message of any type with things in it that are easy to spoil; now and then one that is none.
fn message(index: usize, random: &mut Rng) -> (String, String) {
    if random.u8(..) < 8 {
        let id = format!("broken-{index}");
        return (id.clone(), format!(r#"{{"type":"track","messageId":"{id}""#));
    }
    let id = format!("good-{index}");
    let text: String = (0..random.usize(0..20)).map(|_| random.char('\u{20}'..'\u{d7ff}')).collect();
    let text = serde_json::to_string(&text).unwrap();
    let number = ["12345678901234567890", "1.0", "1e+400", "-0", "0.10"][random.usize(..5)];
    let kind = match random.choice(MessageType::ALL).unwrap().as_str() {
        "track" => r#""type":"track","event":"e""#.to_owned(),
        "alias" => r#""type":"alias","previousId":"p""#.to_owned(),
        "group" => r#""type":"group","groupId":"g""#.to_owned(),
        kind => format!(r#""type":"{kind}""#),
    };
    let body = format!(r#"{{{kind},"n":{number},"10":1,"messageId":"{id}","userId":"u","text":{text}}}"#);
    (id, body)
}
