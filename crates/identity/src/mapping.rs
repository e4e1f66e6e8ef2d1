//! The result of mapping a body.

use std::sync::Arc;

use segment::{Message, timestamp::TimeFault};

use crate::{error::Ignored, mappings::Position};

/// The messages of a body, and why there are no more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mapping {
    /// Messages to publish.
    pub messages: Vec<Mapped>,
    /// Why other events make none, or another call of the same event does not.
    pub ignored: Vec<Ignored>,
    /// Why the time of receipt stands in for an event's own: one for each event of which it does.
    pub times: Vec<TimeFault>,
}

/// A message and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// The message, checked.
    pub message: Message,
    /// The name of the write key to send it with.
    pub write_key: String,
    /// The provider's event type that it was made from.
    pub event_type: Arc<str>,
    /// Where the rule stands that made it.
    pub rule: Position,
    /// Fields that were left out because the message would have been larger than Segment takes.
    pub left_out: Vec<String>,
    /// The built-in rule that the user's own rule replaces, and the parts of it that are lost. Only [`Mapper::explain`](crate::Mapper::explain) says so.
    pub replaces: Option<String>,
    /// The fields that were dropped, hashed or masked on the way, for people. Only [`Mapper::explain`](crate::Mapper::explain) says so.
    pub hidden: Vec<String>,
}
