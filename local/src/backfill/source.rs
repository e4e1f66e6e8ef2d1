//! Where users come from.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::CommandError;

/// One user or event, and where the next one begins.
pub struct Record {
    /// What was found.
    pub content: Content,
    /// What is read already once this one is done with.
    pub position: Position,
    /// How much of the source that is, in the source's own unit: bytes of a file, users.
    pub done: u64,
}

/// What was found.
pub enum Content {
    /// A user as the provider describes one.
    User(Map<String, Value>),
    /// The body of a webhook.
    Event(Vec<u8>),
    /// Nothing to send, and why in one word.
    Nothing(&'static str),
    /// Not readable: why in one word, and in a sentence without any content.
    Unreadable(&'static str, String),
}

/// How far a source was read: exact, so that nobody is repeated and nobody missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "camelCase")]
pub enum Position {
    /// A file, decompressed: so many bytes and lines.
    File {
        /// Bytes that are done with.
        bytes: u64,
        /// Lines that are done with.
        line: u64,
    },
    /// FusionAuth's users, in the order of their making and then of their ids.
    Users {
        /// When the last one was made, in milliseconds since 1970.
        instant: i64,
        /// The last one's id.
        id: String,
        /// How many came before in FusionAuth's count, when it was asked.
        row: u64,
        /// How many were read.
        seen: u64,
        /// Whether FusionAuth searches with Elasticsearch.
        elastic: bool,
    },
    /// FusionAuth's webhook event log.
    EventLog {
        /// The last entry's number.
        sequence: i64,
        /// How many came before in FusionAuth's count, when it was asked.
        row: u64,
    },
}

impl Position {
    /// For people: where the record was.
    pub fn place(&self) -> String {
        match self {
            Self::File { line, .. } => format!("line {line}"),
            Self::Users { id, .. } => format!("user {id}"),
            Self::EventLog { sequence, .. } => format!("entry {sequence} of the webhook event log"),
        }
    }
}

/// Something that users can be read from, in an order that stays the same.
pub trait Source {
    /// The next records; none means that there are no more.
    async fn read(&mut self) -> Result<Vec<Record>, CommandError>;

    /// How much there is, in the unit of [`Record::done`], as far as is known.
    fn total(&self) -> Option<u64>;

    /// Called after the last record was sent. Returns what somebody should know.
    async fn finish(&mut self) -> Result<Option<String>, CommandError>;
}
