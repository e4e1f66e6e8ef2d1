//! The queue between the topic and a destination, as its consumer sees it.

use std::{future::Future, time::Duration};

use jiff::Timestamp;

use crate::topic::Attributes;

/// A message that was received from the queue.
#[derive(Clone, Debug)]
pub struct Received {
    /// The queue's id of this message, not Segment's `messageId`.
    pub id: String,
    /// The message as JSON.
    pub body: String,
    /// The attributes: those that it was published with, and those that earlier attempts left.
    pub attributes: Attributes,
    /// When it was put into the queue.
    pub sent_at: Timestamp,
}

/// Entries that replace received messages. Without one, the queue deletes the messages.
#[derive(Clone, Debug, Default)]
pub struct Replacement {
    /// The ids of the received messages.
    pub received: Vec<String>,
    /// The entries that replace them.
    pub entries: Vec<Entry>,
}

/// An entry to put into a queue.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The message as JSON.
    pub body: String,
    /// The attributes beside its body.
    pub attributes: Attributes,
    /// The queue to put it into.
    pub target: TargetQueue,
}

/// The queue that an [`Entry`] goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetQueue {
    /// Back into the source queue, visible after this delay.
    Source(Duration),
    /// Into the dead-letter queue.
    DeadLetter,
}

/// The longest delay that SQS supports (API reference, SendMessage, "DelaySeconds"). A message that must wait
/// longer is put back more than once.
pub const MAX_DELAY: Duration = Duration::from_secs(15 * 60);

/// A queue, as its consumer sees it.
pub trait Queue: Send + Sync {
    /// Replaces messages. Returns a result for each replacement, in order. If a replacement fails, its
    /// received messages stay in the queue and become visible again after their visibility timeout. Some of
    /// its entries may be stored already.
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

/// The queue did not take a message.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take a message")]
pub struct QueueError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
