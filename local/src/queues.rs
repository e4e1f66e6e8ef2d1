//! The queues between the topic and the destinations.

pub mod consumer;
pub mod dead_letters;
pub mod rejected;

use platform::sqlite::{SqliteQueue, Store};

use crate::journal::{DELETION, Journal, ObservedQueue, SEGMENT, Toward};

/// The queue that segment-delivery consumes.
pub const SEGMENT_QUEUE: &str = "segment";

/// The queue that webhook-delivery consumes.
pub const WEBHOOK_QUEUE: &str = "webhooks";

/// The queue that regulation-delivery consumes.
pub const REGULATION_QUEUE: &str = "regulations";

/// All of them.
#[derive(Clone)]
pub struct Queues {
    /// To Segment.
    pub segment: SqliteQueue,
    /// To the webhooks.
    pub webhooks: SqliteQueue,
    /// To Segment's Public API.
    pub regulations: SqliteQueue,
}

/// One of them.
pub struct Named<'a> {
    /// Its name in JSON.
    pub name: &'static str,
    /// What a person waits for.
    pub label: &'static str,
    /// Where it leads.
    pub toward: Toward,
    /// The queue.
    pub queue: &'a SqliteQueue,
}

impl Queues {
    /// The queues of a store.
    pub fn of(store: &Store) -> Self {
        Self {
            segment: store.queue(SEGMENT_QUEUE),
            webhooks: store.queue(WEBHOOK_QUEUE),
            regulations: store.queue(REGULATION_QUEUE),
        }
    }

    /// Each of them.
    pub fn all(&self) -> [Named<'_>; 3] {
        let named = |name, label, toward, queue| Named { name, label, toward, queue };
        [
            named(SEGMENT_QUEUE, SEGMENT, Toward::Segment, &self.segment),
            named(WEBHOOK_QUEUE, "webhooks", Toward::Webhooks, &self.webhooks),
            named(REGULATION_QUEUE, DELETION, Toward::Deletion, &self.regulations),
        ]
    }

    /// The queue that leads there, with the journal told of what happens in it.
    pub fn observed(&self, toward: Toward, journal: &Journal) -> ObservedQueue {
        let queue = match toward {
            Toward::Segment => &self.segment,
            Toward::Webhooks => &self.webhooks,
            Toward::Deletion => &self.regulations,
        };
        ObservedQueue { queue: queue.clone(), toward, journal: journal.clone() }
    }
}
