//! The source of the users.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::CommandError;

/// One user, event or message, and the position after it.
pub struct Record {
    /// The user, event or message.
    pub content: Content,
    /// How far the source is read once this record is done.
    pub position: Position,
    /// The same in the unit of the source: bytes of a file, or users.
    pub done: u64,
}

/// The content of a record.
pub enum Content {
    /// A user in the provider's form.
    User(Map<String, Value>),
    /// The body of a webhook.
    Event(Vec<u8>),
    /// A Segment message.
    Message(Map<String, Value>),
    /// Nothing to send, with the reason in one word.
    Nothing(&'static str),
    /// Not readable, with the reason in one word and in a sentence. The sentence quotes no content.
    Unreadable(&'static str, String),
}

/// How far a source is read. It is exact: no user is repeated or missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "camelCase")]
pub enum Position {
    /// Bytes and lines of a file, decompressed.
    File {
        /// Bytes that are done.
        bytes: u64,
        /// Lines that are done.
        line: u64,
    },
    /// FusionAuth's users, sorted by creation time and then by id.
    Users {
        /// The creation time of the last user, in milliseconds since 1970.
        instant: i64,
        /// The id of the last user.
        id: String,
        /// The row of that user in FusionAuth's list, when it was read.
        row: u64,
        /// How many users were read.
        seen: u64,
        /// Whether FusionAuth searches with Elasticsearch.
        elastic: bool,
    },
    /// FusionAuth's webhook event log.
    EventLog {
        /// The number of the last entry.
        sequence: i64,
        /// The row of that entry in FusionAuth's list, when it was read.
        row: u64,
    },
}

impl Position {
    /// Returns the place of the record, for people.
    pub fn place(&self) -> String {
        match self {
            Self::File { line, .. } => format!("line {line}"),
            Self::Users { id, .. } => format!("user {id}"),
            Self::EventLog { sequence, .. } => format!("entry {sequence} of the webhook event log"),
        }
    }
}

/// Reads users, in an order that stays the same.
pub trait Source {
    /// Returns the next records; none means that there are no more.
    async fn read(&mut self) -> Result<Vec<Record>, CommandError>;

    /// Returns the size of the source in the unit of [`Record::done`], if it is known.
    fn total(&self) -> Option<u64>;

    /// Ends the reading, after the last record is sent. Returns a warning for the user, if there is one.
    async fn finish(&mut self) -> Result<Option<String>, CommandError>;
}
