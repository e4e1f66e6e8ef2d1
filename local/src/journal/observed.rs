//! The topic and the queues, with the journal told of all that passes.

use std::sync::Arc;

use platform::{
    embedded::{EmbeddedQueue, EmbeddedTopic},
    queue::{Queue, QueueError, Replacement},
    topic::{Publication, PublishError, Topic},
};

use super::{Arrival, Journal, Toward};

tokio::task_local! {
    /// The request for which messages are published.
    pub static ARRIVAL: Arc<Arrival>;
}

/// The topic.
#[derive(Clone)]
pub struct ObservedTopic {
    /// The topic itself.
    pub topic: EmbeddedTopic,
    /// Who is told.
    pub journal: Journal,
}

impl Topic for ObservedTopic {
    async fn publish(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        if !self.journal.is_on() {
            return self.topic.publish(publications).await;
        }
        let arrival = ARRIVAL.try_with(Arc::clone).ok();
        // Before it is stored: the first attempt may be made before this returns.
        let message_ids = self.journal.published(&publications, arrival.as_ref());
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
    pub queue: EmbeddedQueue,
    /// Where it leads.
    pub toward: Toward,
    /// Who is told.
    pub journal: Journal,
}

impl Queue for ObservedQueue {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        if self.journal.is_on() {
            // Before it is done: the next attempt may be over before this returns.
            replacements.iter().for_each(|one| self.journal.moved(self.toward, &one.entries));
        }
        self.queue.replace(replacements).await
    }
}
