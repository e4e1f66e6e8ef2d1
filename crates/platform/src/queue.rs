//! The queue between the topic and a destination, as a function that consumes it sees it.

use std::{future::Future, time::Duration};

use jiff::Timestamp;

use crate::topic::Attributes;

/// A message as it was received from the queue.
#[derive(Clone, Debug)]
pub struct Received {
    /// The queue's own id of this message, not Segment's `messageId`.
    pub id: String,
    /// The message as JSON.
    pub body: String,
    /// What was published with it, and what earlier attempts left.
    pub attributes: Attributes,
    /// When it was put into the queue.
    pub sent_at: Timestamp,
}

/// Entries that replace received messages. Without one, the queue deletes the messages.
#[derive(Clone, Debug, Default)]
pub struct Replacement {
    /// The ids of the received messages.
    pub received: Vec<String>,
    /// What there shall be instead of them.
    pub entries: Vec<Entry>,
}

/// What is put into a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The message as JSON.
    pub body: String,
    /// What it carries beside its body.
    pub attributes: Attributes,
    /// Where it goes.
    pub target: TargetQueue,
}

/// Where an [`Entry`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetQueue {
    /// Back into the queue, to be handed out after this long.
    Source(Duration),
    /// Into the dead-letter queue.
    DeadLetter,
}

/// The longest that SQS delays a message (API reference, SendMessage, "DelaySeconds"). What must wait longer
/// is put back more than once.
pub const MAX_DELAY: Duration = Duration::from_secs(15 * 60);

/// The queue, seen by the function that consumes it.
pub trait Queue: Send + Sync {
    /// Replaces messages and answers for each replacement in order. Where that failed, the received messages
    /// stay in the queue and become visible again when their visibility timeout ends; some of the entries
    /// may be stored by then all the same.
    fn replace(
        &self,
        replacements: Vec<Replacement>,
    ) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send;
}

impl Replacement {
    /// Replaces one received message with one entry.
    pub fn of_one(received: Received, target: TargetQueue) -> Self {
        let Received { id, body, attributes, .. } = received;
        Self { received: vec![id], entries: vec![Entry { body, attributes, target }] }
    }
}

/// The queue did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take a message")]
pub struct QueueError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
