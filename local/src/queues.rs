//! The queues between the topic and the destinations.

pub mod consumer;
pub mod dead_letters;
pub mod rejected;

use platform::sqlite::{SqliteQueue, Store};

use crate::journal::{DELETION, Journal, ObservedQueue, QueueKind, SEGMENT, WAREHOUSE};

/// The queue that segment-delivery consumes.
pub const SEGMENT_QUEUE: &str = "segment";

/// The queue that webhook-delivery consumes.
pub const WEBHOOK_QUEUE: &str = "webhooks";

/// The queue that warehouse-delivery consumes.
pub const WAREHOUSE_QUEUE: &str = "warehouse";

/// The queue that regulation-delivery consumes.
pub const REGULATION_QUEUE: &str = "regulations";

/// All queues.
#[derive(Clone)]
pub struct Queues {
    /// To Segment.
    pub segment: SqliteQueue,
    /// To the webhooks.
    pub webhooks: SqliteQueue,
    /// To PostgreSQL.
    pub warehouse: SqliteQueue,
    /// To Segment's Public API.
    pub regulations: SqliteQueue,
}

/// A queue with its names.
pub struct NamedQueue<'a> {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its name for people: the destination.
    pub label: &'static str,
    /// Its kind.
    pub kind: QueueKind,
    /// The queue.
    pub queue: &'a SqliteQueue,
}

impl Queues {
    /// Returns the queues of a store.
    pub fn of(store: &Store) -> Self {
        Self {
            segment: store.queue(SEGMENT_QUEUE),
            webhooks: store.queue(WEBHOOK_QUEUE),
            warehouse: store.queue(WAREHOUSE_QUEUE),
            regulations: store.queue(REGULATION_QUEUE),
        }
    }

    /// Returns each queue with its names.
    pub fn all(&self) -> [NamedQueue<'_>; 4] {
        let named = |name, label, kind, queue| NamedQueue { name, label, kind, queue };
        [
            named(SEGMENT_QUEUE, SEGMENT, QueueKind::Segment, &self.segment),
            named(WEBHOOK_QUEUE, "webhooks", QueueKind::Webhooks, &self.webhooks),
            named(WAREHOUSE_QUEUE, WAREHOUSE, QueueKind::Warehouse, &self.warehouse),
            named(REGULATION_QUEUE, DELETION, QueueKind::Deletion, &self.regulations),
        ]
    }

    /// Returns the queue of this kind, observed by the journal.
    pub fn observed(&self, kind: QueueKind, journal: &Journal) -> ObservedQueue {
        let queue = match kind {
            QueueKind::Segment => &self.segment,
            QueueKind::Webhooks => &self.webhooks,
            QueueKind::Warehouse => &self.warehouse,
            QueueKind::Deletion => &self.regulations,
        };
        ObservedQueue { queue: queue.clone(), kind, journal: journal.clone() }
    }
}
