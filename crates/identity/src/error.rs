//! Why an event or a body makes no message.

use segment::{InvalidMessage, json::JsonError};

use crate::document::Position;

/// Why an authentic and well-formed event makes no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// The event type has no rule.
    #[error("the event type {0:?} is not mapped")]
    EventType(String),
    /// A rule ignores the event type.
    #[error("the event type {event_type:?} is ignored by the rule at {at}")]
    ByRule {
        /// The provider's event type.
        event_type: String,
        /// The place of the rule.
        at: Position,
    },
    /// None of the rules for this event type applies.
    #[error("the conditions of its rules are not met")]
    Condition(String),
    /// The event changes nothing that would be sent. Holds its type.
    #[error("no field that is sent to Segment has changed")]
    Unchanged(String),
    /// The provider's reader leaves this kind of event out before any rule.
    #[error("{0}")]
    LeftOut(&'static str),
    /// The event cannot be used, and refusing it would affect other events or the user.
    #[error("the event cannot be used: {0}")]
    Unusable(#[source] Unusable),
}

impl Ignored {
    /// Returns the reason for a type without a rule. The type is cut to a length that fits a log.
    pub(crate) fn unmapped(name: &str) -> Self {
        Self::EventType(name.chars().take(100).collect())
    }

    /// Returns the provider's event type, if it is known.
    pub fn event_type(&self) -> Option<&str> {
        match self {
            Self::EventType(name)
            | Self::ByRule { event_type: name, .. }
            | Self::Condition(name)
            | Self::Unchanged(name) => Some(name),
            Self::LeftOut(_) | Self::Unusable(_) => None,
        }
    }

    /// Returns the reason as one word, for counting.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::EventType(_) | Self::ByRule { .. } => "event_type",
            Self::Condition(_) => "condition",
            Self::Unchanged(_) => "unchanged",
            Self::LeftOut(_) => "left_out",
            Self::Unusable(_) => "unusable",
        }
    }
}

/// A missing or wrong field without which no message can be made. Its value is never quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} {problem}")]
pub struct Unusable {
    /// The field's path in the body, such as `event.user.id`.
    pub path: String,
    /// The problem with it.
    pub problem: String,
}

impl Unusable {
    pub(crate) fn new(path: impl Into<String>, problem: &str) -> Self {
        Self { path: path.into(), problem: problem.to_owned() }
    }
}

/// Why a body cannot be mapped.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// There is no provider with this name.
    #[error("there is no provider {name:?}; known are: {known}")]
    UnknownProvider {
        /// The name, which is never part of a request.
        name: String,
        /// The known providers.
        known: String,
    },
    /// The body is not JSON in the provider's form.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The provider sends a JWT as the body, and this is none.
    #[error("the body is not a JWT: three parts in base64url with dots between them")]
    NotAJwt,
    /// The body is understood, but a required field is missing or wrong.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The mapping hashes a field, and the identity secret has no key for it.
    #[error("the mapping hashes a field, but the identity secret has no hashKey; add one")]
    NoHashKey,
}

impl MapError {
    /// Returns the error for an unknown provider, with the known names.
    pub(crate) fn unknown_provider(name: &str, known: impl Iterator<Item = &'static str>) -> Self {
        Self::UnknownProvider { name: name.to_owned(), known: known.collect::<Vec<_>>().join(", ") }
    }
}

impl From<InvalidMessage> for Unusable {
    fn from(error: InvalidMessage) -> Self {
        Self { path: error.path.to_owned(), problem: error.problem.to_string() }
    }
}
