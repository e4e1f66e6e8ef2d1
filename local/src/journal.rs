//! What happened to each message, for the page and for `segue tail`: kept in memory, and only of the newest messages.
//! What is not to be lost is in the store; a journal that forgets loses nothing.

mod arrival;
mod head;
mod inbound;
mod item;
mod kept;
mod numbers;
mod observed;
mod outbound;
mod row;
mod seed;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use delivery::Watcher;
use jiff::Timestamp;
use platform::clock::SharedClock;
use serde_json::{Value, json};
use tokio::sync::watch;
use webhook_delivery::Webhook;

pub use self::{
    arrival::Arrival,
    head::{Head, message_ids},
    item::{Attempt, Delivery, Item, Mapping, State, Why},
    kept::MOST,
    observed::{ObservedQueue, ObservedTopic},
    outbound::Toward,
    row::Means,
};
use self::{kept::Kept, numbers::Numbers};

/// What the page calls Segment.
pub const SEGMENT: &str = "Segment";

/// Its name for the stand-in, so that nobody thinks Segment has a message.
const STAND_IN: &str = "stand-in";

/// What the page calls a regulation.
pub const DELETION: &str = "deletion at Segment";

/// Where messages can go.
#[derive(Default)]
pub struct Destinations {
    /// The webhooks.
    pub webhooks: Vec<Webhook>,
    /// Whether deleted users are deleted at Segment too.
    pub regulations: bool,
    /// Whether the stand-in takes Segment's place.
    pub stand_in: bool,
}

/// The journal. Cloning it is cheap.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    on: bool,
    clock: SharedClock,
    destinations: Destinations,
    state: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    kept: Kept,
    numbers: Numbers,
}

impl Journal {
    /// An empty journal. One that is not `on` stays empty, and costs nothing.
    pub fn new(destinations: Destinations, on: bool, clock: SharedClock) -> Self {
        let (state, changed) = (Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Shared { on, clock, destinations, state, changed }))
    }

    /// Whether anybody can look at it.
    pub fn is_on(&self) -> bool {
        self.0.on
    }

    /// Has attempts told.
    pub fn watcher(&self) -> Watcher {
        if !self.is_on() {
            return Watcher::default();
        }
        let journal = self.clone();
        Watcher::new(move |attempt| journal.attempted(&attempt))
    }

    /// Sees changes from now on.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// The items older than `before`, newest first, as the page wants them.
    pub fn older_than(&self, before: u64, most: usize) -> (Vec<Value>, u64) {
        let inner = self.read();
        let items = inner.kept.older_than(before, most);
        let last = items.last().map_or(0, |(id, _)| *id);
        (items.into_iter().map(|(id, item)| row::row(id, item, &self.0.destinations)).collect(), last)
    }

    /// What changed after a revision, and the revision up to which that goes.
    pub fn changed_after(&self, revision: u64, most: usize) -> (Vec<Value>, u64) {
        let inner = self.read();
        let (items, last) = inner.kept.changed_after(revision, most);
        (items.into_iter().map(|(id, item)| row::row(id, item, &self.0.destinations)).collect(), last)
    }

    /// The name of a destination that people read.
    pub fn label<'d>(&self, destination: &'d str) -> &'d str {
        self.0.destinations.label(destination)
    }

    /// The revision of the last change.
    pub fn revision(&self) -> u64 {
        self.read().kept.revision()
    }

    /// All that is known of one item.
    pub fn details(&self, id: u64, means: &Means) -> Option<Value> {
        self.read().kept.get(id).map(|item| row::details(id, item, means, &self.0.destinations))
    }

    /// The items of an arrival, among those that changed after a revision.
    pub fn made_of(&self, arrival: &Arc<Arrival>, revision: u64) -> Vec<u64> {
        let inner = self.read();
        let (changed, _) = inner.kept.changed_after(revision, MOST);
        let made = |item: &Item| item.arrivals.iter().any(|known| Arc::ptr_eq(known, arrival));
        changed.into_iter().filter(|(_, item)| made(item)).map(|(id, _)| id).collect()
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The item of a message.
    pub fn item_of(&self, message_id: &str) -> Option<u64> {
        self.read().kept.of_message(message_id)
    }

    /// The numbers of the last five minutes.
    pub fn numbers(&self) -> Value {
        let now = self.0.clock.now();
        let inner = self.read();
        let mut numbers = inner.numbers.as_json(now);
        numbers["now"] = segment::timestamp::format(now).into();
        numbers["shown"] = json!(inner.kept.len());
        numbers["kept"] = json!(MOST);
        numbers
    }

    fn each(&self, message_ids: &[String], mut change: impl FnMut(&mut Item)) {
        for message_id in message_ids {
            let mut inner = self.write();
            if let Some(id) = inner.kept.of_message(message_id) {
                inner.kept.change(id, &mut change);
            }
        }
    }

    fn read(&self) -> MutexGuard<'_, Inner> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody writes: whoever watches looks again after that.
    fn write(&self) -> MutexGuard<'_, Inner> {
        let inner = self.read();
        self.0.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
        inner
    }
}
