//! The conservation test: whatever fails, a destination gets every accepted message that it wants, no message
//! that it does not want, and no changed message.
//!
//! Each seed makes a plan of faults: the other side fails in every way it can; the queue refuses messages,
//! stores a part of them or hands them out twice; senders deliver twice; the process is killed in the middle
//! of a batch. Then all faults end, and every message must be accounted for. `CONSERVATION_SEEDS=n` runs n
//! seeds, `CONSERVATION_SEED=s` only that one.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    panic::{RefUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use delivery::Destination;
use fastrand::Rng;
use jiff::Timestamp;
use platform::{clock::HeldClock, sqlite::Store, topic::Attributes};
use serde_json::Value;

use crate::{Hang, VISIBILITY, World, clock};

/// Turns the faults on and off.
#[derive(Clone)]
pub struct FaultSwitch(Arc<AtomicBool>);

impl FaultSwitch {
    /// Whether the faults are on now.
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A message and the place where it must arrive. A destination with one place calls it 0.
pub type Unit = (String, usize);

/// Accepted messages by their ids.
pub type Accepted = BTreeMap<String, String>;

/// A destination under test, with the other side that it delivers to.
pub trait Subject: Send + Sync + Sized + 'static {
    /// The destination.
    type Destination: Destination;

    /// Starts the other side. While faults are on, it fails by its own plan.
    fn start(
        fault_switch: &FaultSwitch,
        clock: &Arc<HeldClock>,
        random: &mut Rng,
    ) -> impl Future<Output = Self>;

    /// Returns the destination, as a process creates it at its start.
    fn destination(&self, store: &Store, clock: &Arc<HeldClock>) -> Self::Destination;

    /// Returns a message with this id. An id that begins with `never` is for a message that can never be
    /// delivered.
    fn message(&self, id: &str, random: &mut Rng) -> String;

    /// Returns the write keys of the messages.
    fn write_keys(&self) -> &'static [&'static str] {
        &["default", "shop"]
    }

    /// Makes other parts around the destination fail, until the next call.
    fn disturb(&self, _random: &mut Rng) {}

    /// Returns the units that must be delivered. By default, all messages go to one place.
    fn wanted(&self, accepted: &Accepted) -> BTreeSet<Unit> {
        accepted.keys().filter(|id| !id.starts_with("never")).map(|id| (id.clone(), 0)).collect()
    }

    /// Returns the units that arrived. Asserts that each is as expected.
    fn arrived(&self, accepted: &Accepted) -> BTreeSet<Unit>;

    /// Returns the place that a dead letter was for. Asserts that it was given up for a reason.
    fn dead_letter_place(&self, id: &str, attributes: &Attributes) -> usize;

    /// Whether one place is enough for a message.
    fn one_place_is_enough(&self) -> bool {
        false
    }

    /// Returns the least time between two polls at the end, for a destination whose messages may wait for
    /// days.
    fn step(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether a dead letter arrives after a redrive without faults.
    fn recovers(&self) -> bool {
        true
    }
}

/// Runs the conservation test of a destination for the seeds of [`for_each_seed`].
pub fn conserves<S: Subject>(most: u64) {
    for_each_seed(most, run::<S>);
}

/// Runs `run` for the seeds below `most`, for those below `CONSERVATION_SEEDS`, or only for
/// `CONSERVATION_SEED`. A failure names its seed.
pub fn for_each_seed<F: Future<Output = ()>>(most: u64, run: impl Fn(u64) -> F + RefUnwindSafe) {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seeds = match number("CONSERVATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CONSERVATION_SEEDS").unwrap_or(most),
    };
    for seed in seeds {
        let run = catch_unwind(|| {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(seed));
        });
        assert!(run.is_ok(), "seed {seed} failed; run it alone with CONSERVATION_SEED={seed}");
    }
}

async fn run<S: Subject>(seed: u64) {
    let mut random = Rng::with_seed(seed);
    let (fault_switch, clock) = (FaultSwitch(Arc::new(AtomicBool::new(true))), clock());
    let subject = Arc::new(S::start(&fault_switch, &clock, &mut random).await);
    let of_world = subject.clone();
    let mut world = World::at(clock, move |store, clock| of_world.destination(store, clock));
    let mut accepted = Accepted::new();
    for _ in 0..random.usize(3..10) {
        for _ in 0..random.usize(0..12) {
            let id = format!("{}-{}", ["good", "never"][usize::from(random.u8(..) < 16)], accepted.len());
            let body = subject.message(&id, &mut random);
            let write_key = random.choice(subject.write_keys()).copied().unwrap();
            for _ in 0..=usize::from(random.u8(..) < 40) {
                world.publish(&body, write_key).await;
            }
            accepted.insert(id, body);
        }
        world.flaky.failures.set(u32::from(random.u8(..) < 30));
        *world.flaky.torn.lock().unwrap() = (random.u8(..) < 50).then(|| random.fork());
        subject.disturb(&mut random);
        world = poll(world, &mut random).await;
        let days = if random.u8(..) < 20 { random.u64(1..9) } else { 0 };
        world.clock.advance(Duration::from_secs(days * 86_400 + random.u64(0..600)));
    }
    fault_switch.0.store(false, Ordering::SeqCst);
    world.flaky.failures.set(0);
    *world.flaky.torn.lock().unwrap() = None;
    world.clock.advance(VISIBILITY);
    world.drain_by(subject.step()).await;
    let accounts = Accounts { subject: &*subject, accepted: &accepted, wanted: subject.wanted(&accepted) };
    accounts.balance(&world).await;
    if subject.recovers() {
        // A dead letter is not lost, because it can be redriven. On a busy machine a deadline may still pass,
        // and with an empty window that is its end, so try several times.
        for _ in 0..20 {
            world.redrive().await;
            world.drain().await;
            if accounts.lost(&accounts.arrived()).is_empty() {
                break;
            }
        }
        assert_eq!(accounts.lost(&accounts.arrived()), []);
        accounts.balance(&world).await;
    }
}

/// Polls once or twice, with a possible fault in between.
async fn poll<D: Destination>(world: World<D>, random: &mut Rng) -> World<D> {
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
            world.restarted().await
        }
        // Killed between the answers and the replacing, or between that and the deleting.
        50..80 => {
            *world.flaky.hangs.lock().unwrap() = Some([Hang::Before, Hang::After][random.usize(..2)]);
            tokio::select! {
                () = world.flaky.hung.notified() => {}
                _ = world.poll(most) => {}
            }
            world.restarted().await
        }
        // Two polls at the same time.
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

/// The accepted messages compared with those that arrived and the dead letters.
struct Accounts<'a, S> {
    subject: &'a S,
    accepted: &'a Accepted,
    wanted: BTreeSet<Unit>,
}

impl<S: Subject> Accounts<'_, S> {
    async fn balance(&self, world: &World<S::Destination>) {
        assert_eq!(world.queue.depth().await.unwrap(), 0);
        let mut ended = self.arrived();
        let mut never = BTreeSet::new();
        for (body, attributes) in world.dead_letters().await {
            for (id, text) in members(&body) {
                assert_eq!(self.accepted.get(&id), Some(&text), "{id} was changed");
                let place = self.subject.dead_letter_place(&id, &attributes);
                if id.starts_with("never") {
                    never.insert(id);
                } else {
                    ended.insert((id, place));
                }
            }
        }
        let expected = self.accepted.keys().filter(|id| id.starts_with("never")).cloned().collect();
        assert_eq!(never, expected, "a message that can never be delivered is given up");
        assert_eq!(self.lost(&ended), []);
    }

    /// Returns the units that arrived. Asserts that each is wanted.
    fn arrived(&self) -> BTreeSet<Unit> {
        let arrived = self.subject.arrived(self.accepted);
        let surplus: Vec<&Unit> = arrived.iter().filter(|unit| !self.wanted.contains(unit)).collect();
        assert!(surplus.is_empty(), "not wanted, or invented: {surplus:?}");
        arrived
    }

    /// Returns the wanted units that did not end.
    fn lost(&self, ended: &BTreeSet<Unit>) -> Vec<Unit> {
        let ids: BTreeSet<&String> = ended.iter().map(|(id, _)| id).collect();
        let is_lost = |unit: &&Unit| match self.subject.one_place_is_enough() {
            true => !ids.contains(&unit.0),
            false => !ended.contains(unit),
        };
        self.wanted.iter().filter(is_lost).cloned().collect()
    }
}

/// Returns the messages of a body by their ids, each as text. A body that is not JSON is one message.
fn members(body: &str) -> Vec<(String, String)> {
    let id = |message: &Value| message["messageId"].as_str().unwrap().to_owned();
    match serde_json::from_str(body) {
        Ok(Value::Array(members)) => members.iter().map(|one| (id(one), one.to_string())).collect(),
        Ok(message) => vec![(id(&message), body.to_owned())],
        Err(_) => {
            let start = body.find("\"messageId\":\"").unwrap() + "\"messageId\":\"".len();
            let id = body[start..].split('"').next().unwrap();
            vec![(id.to_owned(), body.to_owned())]
        }
    }
}

/// Asserts that an expired message was retried for at least as long as it says.
#[track_caller]
pub fn assert_expired(attributes: &Attributes, window: Duration) {
    assert_eq!(attributes["failure"], "expired", "{attributes:?}");
    let at = |name: &str| attributes[name].parse::<Timestamp>().unwrap();
    let tried = at("failedAt").duration_since(at("since")).unsigned_abs();
    // Times are written to the millisecond.
    assert!(tried + Duration::from_millis(1) >= window, "given up too early: {attributes:?}");
}

/// Returns a track message with values that are easy to damage.
pub fn intricate(id: &str, random: &mut Rng) -> String {
    format!(r#"{{"type":"track","event":"e",{},"messageId":"{id}","userId":"u"}}"#, members_to_spoil(random))
}

/// Returns members that are easy to damage.
pub fn members_to_spoil(random: &mut Rng) -> String {
    let text: String = (0..random.usize(0..20)).map(|_| random.char('\u{20}'..'\u{d7ff}')).collect();
    let text = serde_json::to_string(&text).unwrap();
    let number = ["12345678901234567890", "1.0", "1e+400", "-0", "0.10"][random.usize(..5)];
    format!(r#""n":{number},"10":1,"text":{text}"#)
}
