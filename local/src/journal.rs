//! The journal: the history of the newest messages, in memory, for the page and for `segue tail`. Messages
//! themselves are in the store, so nothing is lost when the journal forgets them.

mod arrival;
mod inbound;
mod inbox;
mod item;
mod numbers;
mod observed;
mod outbound;
mod request;
mod restore;
mod retained;
mod summary;
mod text;
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
    item::{Attempt, Delivery, Item, RecordedFailure, Source, State},
    observed::{ObservedQueue, ObservedTopic},
    outbound::QueueKind,
    retained::MAX_ITEMS,
    summary::{Summary, message_ids},
    view::ViewContext,
};
use self::{
    inbox::{Event, Inbox},
    retained::{MAX_BYTES, RetainedItems},
    text::{Reader, Texts},
};

/// The page's name for Segment.
pub const SEGMENT: &str = "Segment";

/// The page's name for the stand-in, which must not look like Segment.
const STAND_IN: &str = "stand-in";

/// The page's name for the warehouse.
pub const WAREHOUSE: &str = "PostgreSQL";

/// The page's name for a regulation.
pub const DELETION: &str = "deletion at Segment";

/// The destinations of messages.
#[derive(Default)]
pub struct Destinations {
    /// The webhooks.
    pub webhooks: Vec<Webhook>,
    /// Whether messages also go to PostgreSQL.
    pub warehouse: bool,
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
    texts: Texts,
    /// Locked only for a moment, because requests wait for it. If you lock both, lock `items` first.
    inbox: Mutex<Inbox>,
    items: Mutex<RetainedItems>,
    changed: watch::Sender<u64>,
}

impl Journal {
    /// Creates an empty journal. It stays empty unless it is `on`.
    pub fn new(destinations: Destinations, on: bool, clock: SharedClock) -> Self {
        let (texts, inbox, changed) = (Texts::default(), Mutex::default(), watch::Sender::new(0));
        let items = Mutex::new(RetainedItems::new(texts.clone()));
        Self(Arc::new(Shared { on, clock, destinations, texts, inbox, items, changed }))
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
        Watcher::new(move |attempt| journal.attempted(attempt))
    }

    /// Returns a receiver that is notified of each later change.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Returns the rows older than `before`, newest first, and the id of the last one.
    pub fn older_than(&self, before: u64, most: usize) -> (Vec<Value>, u64) {
        let items = self.items();
        let older = items.older_than(before, most);
        let last = older.last().map_or(0, |(id, _)| *id);
        (self.rows(older), last)
    }

    /// Returns the rows that changed after a revision, and the revision of the last of these changes.
    pub fn changed_after(&self, revision: u64, most: usize) -> (Vec<Value>, u64) {
        let items = self.items();
        let (changed, last) = items.changed_after(revision, most);
        (self.rows(changed), last)
    }

    fn rows(&self, items: Vec<(u64, &Item)>) -> Vec<Value> {
        let mut reader = Reader::default();
        items.into_iter().map(|(id, item)| view::row(id, item, &self.0.destinations, &mut reader)).collect()
    }

    /// Returns the display name of a destination.
    pub fn label<'d>(&self, destination: &'d str) -> &'d str {
        self.0.destinations.label(destination)
    }

    /// Returns the revision of the last change.
    pub fn revision(&self) -> u64 {
        self.items().revision()
    }

    /// Returns the details of an item.
    pub fn details(&self, id: u64, context: &ViewContext) -> Option<Value> {
        self.items().get(id).map(|item| view::details(id, item, context, &self.0.destinations))
    }

    /// Returns the items that a request made, among those that changed after a revision.
    pub fn items_from(&self, arrival: &Arc<Arrival>, revision: u64) -> Vec<u64> {
        let items = self.items();
        let (changed, _) = items.changed_after(revision, MAX_ITEMS);
        let made = |item: &Item| item.arrivals.iter().any(|known| Arc::ptr_eq(known, arrival));
        changed.into_iter().filter(|(_, item)| made(item)).map(|(id, _)| id).collect()
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Returns the id of a message's item.
    pub fn item_of(&self, message_id: &str) -> Option<u64> {
        self.items().id_of_message(message_id)
    }

    /// Returns the numbers of the last five minutes.
    pub fn numbers(&self) -> Value {
        let now = self.0.clock.now();
        let shown = self.items().len();
        let mut numbers = self.inbox().numbers.as_json(now);
        numbers["now"] = segment::timestamp::format(now).into();
        numbers["shown"] = json!(shown);
        numbers["kept"] = json!(MAX_ITEMS);
        numbers
    }

    /// Records an event.
    fn record(&self, event: Event) {
        let (messages, is_full) = {
            let mut inbox = self.inbox();
            inbox.push(event);
            (inbox.messages(), inbox.is_full())
        };
        if is_full {
            drop(self.items());
        } else if messages > MAX_ITEMS || self.0.texts.bytes() > MAX_BYTES {
            self.forget_oldest();
        } else if let Ok(mut items) = self.0.items.try_lock() {
            // Both together hold no more messages than are ever shown. A reader may hold the lock; then the next event
            // does it.
            items.shrink_to(MAX_ITEMS - messages);
        }
        self.notify();
    }

    /// Notifies those who follow the changes.
    fn notify(&self) {
        if self.is_followed() {
            self.0.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
        }
    }

    /// Forgets the oldest items, and then the oldest events, above the limits.
    fn forget_oldest(&self) {
        let mut items = lock(&self.0.items);
        let mut inbox = self.inbox();
        items.shrink_to(MAX_ITEMS.saturating_sub(inbox.messages()));
        items.evict();
        let mut gone = Vec::new();
        while let Some(event) = inbox.pop_above(MAX_ITEMS) {
            gone.push(event);
        }
        drop((inbox, items));
        drop(gone);
        while self.0.texts.bytes() > MAX_BYTES {
            let Some(event) = self.inbox().pop() else { break };
            drop(event);
        }
    }

    /// Returns whether somebody follows the changes.
    fn is_followed(&self) -> bool {
        self.0.changed.receiver_count() > 0
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        lock(&self.0.inbox)
    }

    /// Returns the items with all events until now.
    fn items(&self) -> MutexGuard<'_, RetainedItems> {
        let mut items = lock(&self.0.items);
        let events = self.inbox().take();
        let mut reader = Reader::default();
        events.into_iter().for_each(|event| self.apply(&mut items, event, &mut reader));
        items
    }

    fn apply(&self, items: &mut RetainedItems, event: Event, reader: &mut Reader) {
        match event {
            Event::Published { at, arrival, messages } => {
                for message in messages {
                    self.0.destinations.published(items, at, arrival.as_ref(), message, reader);
                }
            }
            Event::NotStored(messages) => {
                for message in messages {
                    items.change_each(&message_ids(&message.read(reader)), Item::not_stored);
                }
            }
            Event::Ended(ended) => items.add(ended.into()),
            Event::Answered(arrival) => {
                arrival.mapped().iter().for_each(|mapped| {
                    items.change_each(std::slice::from_ref(&mapped.message_id), |_| {});
                });
            }
            Event::Attempted(attempt) => attempt.apply(items),
            Event::Moved { at, kind, entries } => {
                entries.iter().for_each(|moved| moved.apply(items, kind, at));
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use delivery::{MessageReport, Report};
    use platform::{clock::SystemClock, topic::Publication};
    use segment::Message;

    use super::*;

    fn journal() -> Journal {
        Journal::new(Destinations::default(), true, SystemClock::shared())
    }

    fn publish(journal: &Journal, number: usize) {
        let message =
            format!(r#"{{"type":"track","userId":"u","event":"E {number}","messageId":"m-{number}"}}"#);
        let message = Message::from_json(message.as_bytes()).unwrap();
        drop(journal.published(&[Publication::new(&message, "default")], None));
    }

    fn deliver(journal: &Journal, number: usize) {
        let message = MessageReport {
            message_id: format!("m-{number}"),
            age: Duration::from_millis(1),
            status: Some(200),
            failure: None,
            note: None,
        };
        journal.attempted(Report {
            destination: segment_delivery::DESTINATION.to_owned(),
            began: journal.now(),
            took: Duration::ZERO,
            request: None,
            messages: vec![message],
        });
    }

    fn rows(journal: &Journal) -> Vec<Value> {
        journal.older_than(u64::MAX, 2 * MAX_ITEMS).0
    }

    #[test]
    fn the_newest_messages_are_shown_with_their_attempts_though_nobody_looked_before() {
        let journal = journal();
        for number in 0..2 * MAX_ITEMS + 7 {
            publish(&journal, number);
            deliver(&journal, number);
        }
        let rows = rows(&journal);
        assert!((MAX_ITEMS - 1..=MAX_ITEMS).contains(&rows.len()), "{}", rows.len());
        for (row, number) in rows.iter().zip((0..2 * MAX_ITEMS + 7).rev()) {
            assert_eq!(
                (&row["messageId"], &row["state"]),
                (&json!(format!("m-{number}")), &json!("delivered"))
            );
            assert_eq!((&row["event"], &row["user"]), (&json!(format!("E {number}")), &json!("u")));
        }
        let received: u64 =
            journal.numbers()["in"].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
        assert_eq!(received, 2 * MAX_ITEMS as u64 + 7, "the numbers count what is not shown");
    }

    #[test]
    fn a_look_in_between_changes_nothing() {
        let journal = journal();
        for number in 0..30 {
            publish(&journal, number);
            if number % 3 == 0 {
                assert_eq!(rows(&journal)[0]["state"], "queued");
            }
            deliver(&journal, number);
        }
        let rows = rows(&journal);
        assert_eq!(rows.len(), 30);
        assert!(rows.iter().all(|row| row["state"] == "delivered"));
        assert_eq!(journal.item_of("m-7"), Some(8));
    }

    #[test]
    fn attempts_without_a_shown_message_take_no_memory() {
        let journal = journal();
        publish(&journal, 1);
        (0..50_000).for_each(|number| deliver(&journal, number));
        let waiting = journal.inbox().take().len();
        assert!(waiting < 5_000, "{waiting}");
        assert_eq!(rows(&journal)[0]["state"], "delivered");
    }
}
