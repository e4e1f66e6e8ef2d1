//! The rejected queue: bad messages that arrived together with good ones, each with the reason. Nothing
//! consumes it, and its messages are never put back.

use std::{future::Future, time::Duration};

use jiff::Timestamp;

/// How long a message is kept: the longest time that SQS supports.
pub const RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The attribute with the name of the bad field.
pub const FIELD: &str = "field";

/// The attribute with the problem of that field.
pub const PROBLEM: &str = "problem";

/// The attribute with the time of receipt, as ISO 8601.
pub const RECEIVED_AT: &str = "receivedAt";

/// A message that was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedMessage {
    /// The text as it was received, or its beginning if it is long.
    pub text: String,
    /// The bad field.
    pub field: String,
    /// The problem with that field.
    pub problem: String,
    /// The name of the write key that it was sent with.
    pub write_key: String,
    /// The time of receipt.
    pub received_at: Timestamp,
}

/// A store for rejected messages.
pub trait RejectedQueue: Send + Sync {
    /// Stores messages. After an error, some may be stored.
    fn put(&self, messages: Vec<RejectedMessage>) -> impl Future<Output = Result<(), RejectedError>> + Send;
}

/// The queue did not take the messages.
#[derive(Debug, thiserror::Error)]
#[error("the rejected queue did not take a message")]
pub struct RejectedError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
