//! The result of mapping a body.

use std::sync::Arc;

use segment::{Message, timestamp::TimeFault};

use crate::{document::Position, error::Ignored};

/// The messages of a body, and the reasons for missing ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// Messages to publish.
    pub messages: Vec<Mapped>,
    /// Why other events, or other calls of the same event, make no message.
    pub ignored: Vec<Ignored>,
    /// Why the time of receipt replaces an event's own time, one entry for each such event.
    pub times: Vec<TimeFault>,
}

/// A message and its destination.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// The message, checked.
    pub message: Message,
    /// The name of its write key.
    pub write_key: String,
    /// The provider's event type that it comes from.
    pub event_type: Arc<str>,
    /// The position of the rule that made it.
    pub rule: Position,
    /// Fields that were left out because the message would have been too large for Segment.
    pub left_out: Vec<String>,
    /// The built-in rule that the user's own rule replaces, and the parts of it that are lost. Only
    /// [`Mapper::explain`](crate::Mapper::explain) sets it.
    pub replaces: Option<String>,
    /// The fields that were dropped, hashed or masked, for people. Only
    /// [`Mapper::explain`](crate::Mapper::explain) sets it.
    pub hidden: Vec<String>,
}
