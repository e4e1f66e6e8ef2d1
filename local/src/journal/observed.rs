//! Wraps the topic and the queues, and records their messages in the journal.

use std::sync::Arc;

use platform::{
    queue::{Queue, QueueError, Replacement},
    sqlite::{SqliteQueue, SqliteTopic},
    topic::{Publication, PublishError, Topic},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Arrival, Journal, QueueKind};

/// The most memory of all messages that are being stored, in KiB. A batch's context goes into each of its
/// messages, so a small request can become large.
const MAX_PENDING_KIB: usize = 64 * 1024;

/// A topic that records its messages in the journal.
#[derive(Clone)]
pub struct ObservedTopic {
    /// The wrapped topic.
    topic: SqliteTopic,
    /// The journal.
    journal: Journal,
    pending: Arc<Semaphore>,
    /// The request whose messages are published.
    arrival: Option<Arc<Arrival>>,
}

impl ObservedTopic {
    /// Wraps a topic.
    pub fn new(topic: SqliteTopic, journal: Journal) -> Self {
        Self { topic, journal, pending: Arc::new(Semaphore::new(MAX_PENDING_KIB)), arrival: None }
    }

    /// Returns the same topic for the messages of this request.
    pub fn of(&self, arrival: Option<Arc<Arrival>>) -> Self {
        Self { arrival, ..self.clone() }
    }

    /// Reserves memory for these messages.
    fn reserve(&self, publications: &[Publication]) -> Result<SemaphorePermit<'_>, PublishError> {
        let bytes: usize = publications.iter().map(|one| one.body.len()).sum();
        let permits = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        self.pending.try_acquire_many(permits).map_err(|_| {
            PublishError(
                "too many messages are being stored at once; the store is slower than the senders".into(),
            )
        })
    }
}

impl Topic for ObservedTopic {
    async fn publish(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        let _reserved = self.reserve(&publications)?;
        if !self.journal.is_on() {
            return self.topic.publish(publications).await;
        }
        // Recorded first: the first attempt can start before `publish` returns.
        let message_ids = self.journal.published(&publications, self.arrival.as_ref());
        let result = self.topic.publish(publications).await;
        if result.is_err() {
            self.journal.not_stored(&message_ids);
        }
        result
    }
}

/// A queue that records its messages in the journal.
#[derive(Clone)]
pub struct ObservedQueue {
    /// The wrapped queue.
    pub queue: SqliteQueue,
    /// Its kind.
    pub kind: QueueKind,
    /// The journal.
    pub journal: Journal,
}

impl Queue for ObservedQueue {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        if self.journal.is_on() {
            // Recorded first: the next attempt can end before `replace` returns.
            replacements.iter().for_each(|one| self.journal.moved(self.kind, &one.entries));
        }
        self.queue.replace(replacements).await
    }
}
