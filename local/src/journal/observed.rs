//! The topic and the queues, with the journal told of all that passes.

use std::sync::Arc;

use platform::{
    queue::{Queue, QueueError, Replacement},
    sqlite::{SqliteQueue, SqliteTopic},
    topic::{Publication, PublishError, Topic},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Arrival, Journal, QueueKind};

/// The most that messages which are being stored may take, all together, in KiB. The context of a batch, put into each of its
/// messages, makes much of a small request.
const MAX_PENDING_KIB: usize = 64 * 1024;

/// The topic.
#[derive(Clone)]
pub struct ObservedTopic {
    /// The topic itself.
    topic: SqliteTopic,
    /// Who is told.
    journal: Journal,
    pending: Arc<Semaphore>,
    /// The request for which messages are published.
    arrival: Option<Arc<Arrival>>,
}

impl ObservedTopic {
    /// That topic, with that journal told.
    pub fn new(topic: SqliteTopic, journal: Journal) -> Self {
        Self { topic, journal, pending: Arc::new(Semaphore::new(MAX_PENDING_KIB)), arrival: None }
    }

    /// The same topic for the messages of this request.
    pub fn of(&self, arrival: Option<Arc<Arrival>>) -> Self {
        Self { arrival, ..self.clone() }
    }

    /// The room for these messages.
    fn reserve(&self, publications: &[Publication]) -> Result<SemaphorePermit<'_>, PublishError> {
        let bytes: usize = publications.iter().map(|one| one.body.len()).sum();
        let permits = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        self.pending.try_acquire_many(permits).map_err(|_| {
            PublishError(
                "too many messages are being stored at once; the store is slower than those who send".into(),
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
        // Before it is stored: the first attempt may be made before this returns.
        let message_ids = self.journal.published(&publications, self.arrival.as_ref());
        let result = self.topic.publish(publications).await;
        if result.is_err() {
            self.journal.not_stored(&message_ids);
        }
        result
    }
}

/// A queue, as a function that delivers sees it.
#[derive(Clone)]
pub struct ObservedQueue {
    /// The queue itself.
    pub queue: SqliteQueue,
    /// Where it leads.
    pub kind: QueueKind,
    /// Who is told.
    pub journal: Journal,
}

impl Queue for ObservedQueue {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        if self.journal.is_on() {
            // Before it is done: the next attempt may be over before this returns.
            replacements.iter().for_each(|one| self.journal.moved(self.kind, &one.entries));
        }
        self.queue.replace(replacements).await
    }
}
