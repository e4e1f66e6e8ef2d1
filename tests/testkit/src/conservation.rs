//! Whatever fails on the way, no destination misses an accepted message that it wants, gets one that it does not want,
//! or gets one changed.
//!
//! Each seed makes a plan of faults: the other side fails in every way it can, the queue refuses, stores a part, hands
//! out twice, senders deliver twice, the process is killed in mid-batch. Then all is well again, and the accounts must
//! balance. `CONSERVATION_SEEDS=n` runs n seeds, `CONSERVATION_SEED=s` that one alone.

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

/// Whether things fail.
#[derive(Clone)]
pub struct FaultSwitch(Arc<AtomicBool>);

impl FaultSwitch {
    /// Whether they do now.
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

    /// Starts the other side. As long as the weather is bad it fails, after a plan of its own.
    fn start(
        fault_switch: &FaultSwitch,
        clock: &Arc<HeldClock>,
        random: &mut Rng,
    ) -> impl Future<Output = Self>;

    /// The destination, as a process makes it at its start.
    fn destination(&self, store: &Store, clock: &Arc<HeldClock>) -> Self::Destination;

    /// A message with the id, which begins with `never` when it can never be delivered.
    fn message(&self, id: &str, random: &mut Rng) -> String;

    /// The write keys that messages come under.
    fn write_keys(&self) -> &'static [&'static str] {
        &["default", "shop"]
    }

    /// Makes what else is around the destination fail, until the next call.
    fn disturb(&self, _random: &mut Rng) {}

    /// The units that must be delivered: all at one place, if nothing else is said.
    fn wanted(&self, accepted: &Accepted) -> BTreeSet<Unit> {
        accepted.keys().filter(|id| !id.starts_with("never")).map(|id| (id.clone(), 0)).collect()
    }

    /// The units that arrived. It asserts that each is as it should be.
    fn arrived(&self, accepted: &Accepted) -> BTreeSet<Unit>;

    /// The place that a dead letter was for. It asserts that it was given up for a reason.
    fn parked_for(&self, id: &str, attributes: &Attributes) -> usize;

    /// Whether a message needs one place alone.
    fn one_place_does(&self) -> bool {
        false
    }

    /// The least time between two polls at the end, for a destination whose messages may wait for days.
    fn step(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether what is given up arrives when it is brought back in good weather.
    fn recovers(&self) -> bool {
        true
    }
}

/// Runs the conservation test of a destination, as [`for_each_seed`] says.
pub fn conserves<S: Subject>(most: u64) {
    for_each_seed(most, run::<S>);
}

/// Runs `run` for the seeds below `most`, or for those below `CONSERVATION_SEEDS`, or for `CONSERVATION_SEED` alone.
/// A failure names its seed.
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
        // A message that was given up is not lost: it can be brought back.
        // On a busy machine a deadline may pass all the same, and with a window of nothing that is the end of it.
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

/// One or two polls, with whatever can come between.
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

/// The messages that were accepted against those that arrived and those that were given up.
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
                let place = self.subject.parked_for(&id, &attributes);
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

    /// The units that arrived, each wanted.
    fn arrived(&self) -> BTreeSet<Unit> {
        let arrived = self.subject.arrived(self.accepted);
        let surplus: Vec<&Unit> = arrived.iter().filter(|unit| !self.wanted.contains(unit)).collect();
        assert!(surplus.is_empty(), "not wanted, or invented: {surplus:?}");
        arrived
    }

    /// The units that are wanted and did not end.
    fn lost(&self, ended: &BTreeSet<Unit>) -> Vec<Unit> {
        let ids: BTreeSet<&String> = ended.iter().map(|(id, _)| id).collect();
        let is_lost = |unit: &&Unit| match self.subject.one_place_does() {
            true => !ids.contains(&unit.0),
            false => !ended.contains(unit),
        };
        self.wanted.iter().filter(is_lost).cloned().collect()
    }
}

/// The messages of a body by their ids, each as text. A body that is no JSON is one message.
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

/// Asserts that a message which expired was retried for at least as long as it says.
#[track_caller]
pub fn assert_expired(attributes: &Attributes, window: Duration) {
    assert_eq!(attributes["failure"], "expired", "{attributes:?}");
    let at = |name: &str| attributes[name].parse::<Timestamp>().unwrap();
    let tried = at("failedAt").duration_since(at("since")).unsigned_abs();
    // Times are written to the millisecond.
    assert!(tried + Duration::from_millis(1) >= window, "given up too early: {attributes:?}");
}

/// A track message with things in it that are easy to spoil.
pub fn intricate(id: &str, random: &mut Rng) -> String {
    format!(r#"{{"type":"track","event":"e",{},"messageId":"{id}","userId":"u"}}"#, members_to_spoil(random))
}

/// Members that are easy to spoil.
pub fn members_to_spoil(random: &mut Rng) -> String {
    let text: String = (0..random.usize(0..20)).map(|_| random.char('\u{20}'..'\u{d7ff}')).collect();
    let text = serde_json::to_string(&text).unwrap();
    let number = ["12345678901234567890", "1.0", "1e+400", "-0", "0.10"][random.usize(..5)];
    format!(r#""n":{number},"10":1,"text":{text}"#)
}
