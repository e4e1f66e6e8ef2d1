//! A queue whose messages come back until they are delivered, put back or dead-lettered.

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

/// A message that goes back into the queue.
#[derive(Clone, Debug)]
pub struct PutBack {
    /// The message as it shall return.
    pub message: Received,
    /// How long it stays invisible: 15 minutes at most.
    pub delay: Duration,
}

/// The queue, seen by the function that consumes it. Each call answers for each message in order; a message
/// for which it fails stays in the queue and becomes visible again when its visibility timeout ends.
pub trait Queue: Send + Sync {
    /// Makes the messages visible again after their delays, with the attributes given.
    fn put_back(&self, messages: Vec<PutBack>) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send;

    /// Moves the messages to the dead-letter queue, with the attributes given.
    fn dead_letter(
        &self,
        messages: Vec<Received>,
    ) -> impl Future<Output = Vec<Result<(), QueueError>>> + Send;
}

/// The queue did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not take a message")]
pub struct QueueError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
