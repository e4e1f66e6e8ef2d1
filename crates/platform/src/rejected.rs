//! The rejected queue: messages that came with good ones and will never be taken, each with the reason. Nothing consumes
//! it, and nothing puts a message of it back.

use std::{future::Future, time::Duration};

use jiff::Timestamp;

/// How long a message stays: the longest that SQS keeps one.
pub const RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The attribute with the field that is wrong.
pub const FIELD: &str = "field";

/// The attribute with what is wrong with it.
pub const PROBLEM: &str = "problem";

/// The attribute with the time of receipt, as ISO 8601.
pub const RECEIVED_AT: &str = "receivedAt";

/// A message that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedMessage {
    /// The text as it came, or its beginning when it is long.
    pub text: String,
    /// The field that is wrong.
    pub field: String,
    /// The problem with that field.
    pub problem: String,
    /// The name of the write key that it came with.
    pub write_key: String,
    /// When it came.
    pub received_at: Timestamp,
}

/// Where rejected messages are kept.
pub trait RejectedQueue: Send + Sync {
    /// Stores messages. When it returns an error, some may be stored all the same.
    fn put(&self, messages: Vec<RejectedMessage>) -> impl Future<Output = Result<(), RejectedError>> + Send;
}

/// The queue did not take the messages.
#[derive(Debug, thiserror::Error)]
#[error("the rejected queue did not take a message")]
pub struct RejectedError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
