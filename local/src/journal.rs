//! The journal: the history of the newest messages, in memory, for the page and for `segue tail`. Messages
//! themselves are in the store, so nothing is lost when the journal forgets them.

mod arrival;
mod inbound;
mod item;
mod numbers;
mod observed;
mod outbound;
mod restore;
mod retained;
mod summary;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use delivery::Watcher;
use jiff::Timestamp;
use platform::clock::SharedClock;
use serde_json::{Value, json};
use tokio::sync::watch;
use webhook_delivery::Webhook;

pub use self::{
    arrival::Arrival,
    item::{Attempt, Delivery, Item, Mapping, RecordedFailure, State},
    observed::{ObservedQueue, ObservedTopic},
    outbound::QueueKind,
    retained::MAX_ITEMS,
    summary::{Summary, message_ids},
    view::ViewContext,
};
use self::{numbers::Numbers, retained::RetainedItems};

/// The page's name for Segment.
pub const SEGMENT: &str = "Segment";

/// The page's name for the stand-in, which must not look like Segment.
const STAND_IN: &str = "stand-in";

/// The page's name for a regulation.
pub const DELETION: &str = "deletion at Segment";

/// The destinations of messages.
#[derive(Default)]
pub struct Destinations {
    /// The webhooks.
    pub webhooks: Vec<Webhook>,
    /// Whether deleted users are also deleted at Segment.
    pub regulations: bool,
    /// Whether the stand-in replaces Segment.
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
    items: RetainedItems,
    numbers: Numbers,
}

impl Journal {
    /// Creates an empty journal. It stays empty unless it is `on`.
    pub fn new(destinations: Destinations, on: bool, clock: SharedClock) -> Self {
        let (state, changed) = (Mutex::default(), watch::Sender::new(0));
        Self(Arc::new(Shared { on, clock, destinations, state, changed }))
    }

    /// Returns whether the journal records anything.
    pub fn is_on(&self) -> bool {
        self.0.on
    }

    /// Returns a watcher that records delivery attempts.
    pub fn watcher(&self) -> Watcher {
        if !self.is_on() {
            return Watcher::default();
        }
        let journal = self.clone();
        Watcher::new(move |attempt| journal.attempted(&attempt))
    }

    /// Returns a receiver that is notified of each later change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Returns the rows older than `before`, newest first, and the id of the last one.
    pub fn older_than(&self, before: u64, most: usize) -> (Vec<Value>, u64) {
        let inner = self.read();
        let items = inner.items.older_than(before, most);
        let last = items.last().map_or(0, |(id, _)| *id);
        (items.into_iter().map(|(id, item)| view::row(id, item, &self.0.destinations)).collect(), last)
    }

    /// Returns the rows that changed after a revision, and the revision of the last of these changes.
    pub fn changed_after(&self, revision: u64, most: usize) -> (Vec<Value>, u64) {
        let inner = self.read();
        let (items, last) = inner.items.changed_after(revision, most);
        (items.into_iter().map(|(id, item)| view::row(id, item, &self.0.destinations)).collect(), last)
    }

    /// Returns the display name of a destination.
    pub fn label<'d>(&self, destination: &'d str) -> &'d str {
        self.0.destinations.label(destination)
    }

    /// Returns the revision of the last change.
    pub fn revision(&self) -> u64 {
        self.read().items.revision()
    }

    /// Returns the details of an item.
    pub fn details(&self, id: u64, context: &ViewContext) -> Option<Value> {
        self.read().items.get(id).map(|item| view::details(id, item, context, &self.0.destinations))
    }

    /// Returns the items that a request made, among those that changed after a revision.
    pub fn items_from(&self, arrival: &Arc<Arrival>, revision: u64) -> Vec<u64> {
        let inner = self.read();
        let (changed, _) = inner.items.changed_after(revision, MAX_ITEMS);
        let made = |item: &Item| item.arrivals.iter().any(|known| Arc::ptr_eq(known, arrival));
        changed.into_iter().filter(|(_, item)| made(item)).map(|(id, _)| id).collect()
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Returns the id of a message's item.
    pub fn item_of(&self, message_id: &str) -> Option<u64> {
        self.read().items.id_of_message(message_id)
    }

    /// Returns the numbers of the last five minutes.
    pub fn numbers(&self) -> Value {
        let now = self.0.clock.now();
        let inner = self.read();
        let mut numbers = inner.numbers.as_json(now);
        numbers["now"] = segment::timestamp::format(now).into();
        numbers["shown"] = json!(inner.items.len());
        numbers["kept"] = json!(MAX_ITEMS);
        numbers
    }

    fn change_each(&self, message_ids: &[String], mut change: impl FnMut(&mut Item)) {
        for message_id in message_ids {
            let mut inner = self.write();
            if let Some(id) = inner.items.id_of_message(message_id) {
                inner.items.change(id, &mut change);
            }
        }
    }

    fn read(&self) -> MutexGuard<'_, Inner> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the state for a change and notifies the subscribers.
    fn write(&self) -> MutexGuard<'_, Inner> {
        let inner = self.read();
        self.0.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
        inner
    }
}
