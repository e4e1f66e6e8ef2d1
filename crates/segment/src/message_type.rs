//! The message types of the Segment spec.

use std::{fmt, str::FromStr};

/// The type of a message. `Delete` exists only for destinations: Segment's HTTP API has no such call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the Segment spec")]
pub enum MessageType {
    Identify,
    Track,
    Page,
    Screen,
    Group,
    Alias,
    Delete,
}

impl MessageType {
    /// Every type, in the order of the Segment spec.
    pub const ALL: [Self; 7] =
        [Self::Identify, Self::Track, Self::Page, Self::Screen, Self::Group, Self::Alias, Self::Delete];

    /// Returns the name in JSON: the message's `type` and the last part of the HTTP API's path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Track => "track",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Group => "group",
            Self::Alias => "alias",
            Self::Delete => "delete",
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for MessageType {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|candidate| candidate.as_str() == text).ok_or(())
    }
}
