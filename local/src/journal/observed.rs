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
pub struct ObservedTopic {
    /// The wrapped topic.
    topic: SqliteTopic,
    /// The journal.
    journal: Journal,
    pending: Semaphore,
}

/// The same topic, for the messages of one request.
pub struct RequestTopic<'t> {
    observed: &'t ObservedTopic,
    arrival: Option<&'t Arc<Arrival>>,
}

impl ObservedTopic {
    /// Wraps a topic.
    pub fn new(topic: SqliteTopic, journal: Journal) -> Self {
        Self { topic, journal, pending: Semaphore::new(MAX_PENDING_KIB) }
    }

    /// Returns the same topic for the messages of this request.
    pub fn of<'t>(&'t self, arrival: Option<&'t Arc<Arrival>>) -> RequestTopic<'t> {
        RequestTopic { observed: self, arrival }
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

impl Topic for RequestTopic<'_> {
    async fn publish(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        let ObservedTopic { topic, journal, .. } = self.observed;
        let _reserved = self.observed.reserve(&publications)?;
        if !journal.is_on() {
            return topic.publish(publications).await;
        }
        // Recorded first: the first attempt can start before `publish` returns.
        let texts = journal.published(&publications, self.arrival);
        let result = topic.publish(publications).await;
        if result.is_err() {
            journal.not_stored(texts);
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
