//! From a webhook body to Segment messages: a provider's file reads events from it, the rules of
//! `mappings.toml` say what each becomes.

pub(crate) mod event;
mod existing;
mod file;
mod message;
mod message_id;
pub(crate) mod path;
mod protection;
mod replaced;
mod rule;
pub(crate) mod time;
mod unchanged;

use std::sync::Arc;

use jiff::Timestamp;
use segment::{InvalidMessage, Message, json::JsonError, timestamp::TimeFault};

pub use self::{
    existing::{changed_at, identify_user},
    file::{BUILT_IN, Mappings, MappingsError, document::Position},
    protection::HashKey,
};
use self::{message::Mapper, rule::Rules};
use crate::{Config, providers, providers::Provider};

/// What a webhook body comes to.
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
    /// The built-in rule that the user's own rule replaces, and the parts of it that are lost. Only [`explain`] says so.
    pub replaces: Option<String>,
    /// What was dropped, hashed or masked on the way, for people. Only [`explain`] says so.
    pub hidden: Vec<String>,
}

/// Why an authentic and well-formed event makes no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// The event type has no rule.
    #[error("the event type {0:?} is not mapped")]
    EventType(String),
    /// None of the rules of this event type wants it.
    #[error("the conditions of its rules do not hold")]
    Condition(String),
    /// Nothing that would be sent has changed with this event, whose type is given.
    #[error("nothing that is sent to Segment has changed")]
    Unchanged(String),
    /// It is of a kind that the provider's file leaves out before any rule.
    #[error("{0}")]
    LeftOut(&'static str),
    /// The event cannot be used, and a refusal would do harm to others.
    #[error("it cannot be used: {0}")]
    Unusable(#[source] Unusable),
}

impl Ignored {
    /// A type without a rule, of a length that a log can bear.
    fn unmapped(name: &str) -> Self {
        Self::EventType(name.chars().take(100).collect())
    }

    /// The provider's event type, where it is known.
    pub fn event_type(&self) -> Option<&str> {
        match self {
            Self::EventType(name) | Self::Condition(name) | Self::Unchanged(name) => Some(name),
            Self::LeftOut(_) | Self::Unusable(_) => None,
        }
    }

    /// The reason in one word, for counting.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::EventType(_) => "event_type",
            Self::Condition(_) => "condition",
            Self::Unchanged(_) => "unchanged",
            Self::LeftOut(_) => "left_out",
            Self::Unusable(_) => "unusable",
        }
    }
}

/// A field without which no message can be made. Its value is never quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} {problem}")]
pub struct Unusable {
    /// The field's path in the body, such as `event.user.id`.
    pub path: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Unusable {
    pub(crate) fn new(path: impl Into<String>, problem: &str) -> Self {
        Self { path: path.into(), problem: problem.to_owned() }
    }
}

/// Why a body could not be mapped.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// There is no such provider.
    #[error("there is no provider of this name; known are: {known}")]
    UnknownProvider {
        /// The known providers.
        known: String,
    },
    /// The body is not JSON of the provider's form.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The body is understood, but a field that is needed is missing or wrong.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The mapping hashes a field, and the identity secret has no key for it.
    #[error("the mapping hashes a field, and there is no key: set hashKey in the identity secret")]
    NoHashKey,
}

impl From<InvalidMessage> for Unusable {
    fn from(error: InvalidMessage) -> Self {
        Self { path: error.path.to_owned(), problem: error.problem.to_string() }
    }
}

/// Maps a webhook body as the handler would, without authentication, without publishing and without asking whether
/// a user has signed up before. `provider` is the part of the URL after `/identity/`, such as `fusionauth` or
/// `auth0/logs`; `now` is the time of receipt.
///
/// # Errors
/// [`MapError`] for an unknown provider, and for what the handler would answer with 400 or 422.
pub fn map(
    provider: &str,
    body: &[u8],
    config: &Config,
    hash_key: Option<&HashKey>,
    now: Timestamp,
) -> Result<Mapping, MapError> {
    map_body(known(provider)?, body, config, hash_key, now, false)
}

/// As [`map`], and each message says what was kept out of it: a dry run for people. Without a key `<hash>` stands where
/// there would be a hash.
///
/// # Errors
/// As for [`map`].
pub fn explain(
    provider: &str,
    body: &[u8],
    config: &Config,
    hash_key: Option<&HashKey>,
    now: Timestamp,
) -> Result<Mapping, MapError> {
    let shown = HashKey::shown();
    map_body(known(provider)?, body, config, Some(hash_key.unwrap_or(&shown)), now, true)
}

fn known(provider: &str) -> Result<&'static Provider, MapError> {
    providers::named(provider)
        .ok_or_else(|| MapError::UnknownProvider { known: providers::routes().join(", ") })
}

/// As [`map`], of a provider that is known; with `explain` each message says what was kept out of it.
pub(crate) fn map_body(
    provider: &'static Provider,
    body: &[u8],
    config: &Config,
    hash_key: Option<&HashKey>,
    now: Timestamp,
    explain: bool,
) -> Result<Mapping, MapError> {
    let document = (provider.parse)(body)?;
    let events = (provider.events)(&document, body)?;
    map_events(provider, events, body.len(), config, hash_key, now, explain)
}

/// The most that the messages of one body may take as text, in bytes. A genuine log stream's batch of 6 MB makes about as much as it has.
const MAX_MESSAGE_BYTES: usize = 16_000_000;

/// Applies the rules to events.
pub(crate) fn map_events(
    provider: &'static Provider,
    events: Vec<event::Read<'_>>,
    body_bytes: usize,
    config: &Config,
    hash_key: Option<&HashKey>,
    now: Timestamp,
    explain: bool,
) -> Result<Mapping, MapError> {
    let none = Rules::default();
    let rules = config.mappings.rules.get(provider.route).unwrap_or(&none);
    let mapper = Mapper { provider, config, rules, hash_key, now, explain, body_bytes };
    let mut mapping = Mapping::default();
    let mut bytes = 0;
    for event in events {
        match event {
            Ok(event) => {
                let before = mapping.messages.len();
                mapper.map(&event, &mut mapping)?;
                let made = mapping.messages[before..].iter();
                bytes += made.map(|mapped| mapped.message.as_json().len()).sum::<usize>();
                if bytes > MAX_MESSAGE_BYTES {
                    return Err(JsonError::TooManyValues.into());
                }
            }
            Err(ignored) => mapping.ignored.push(ignored),
        }
    }
    Ok(mapping)
}
