//! From a webhook body to Segment messages: what every provider's mapping gives back, and message ids.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256};
use segment::{InvalidMessage, Message, MessageType, json::JsonError};

use crate::{Config, providers};

/// What a webhook body comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Mapping {
    /// Messages to publish, at least one.
    Messages(Vec<Mapped>),
    /// Nothing to publish.
    Ignored(Ignored),
}

/// A message and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// The message, checked.
    pub message: Message,
    /// The name of the write key to send it with.
    pub write_key: String,
    /// The provider's event type that it was made from.
    pub event_type: &'static str,
    /// Fields that were left out because the message would have been larger than Segment takes.
    pub left_out: Vec<&'static str>,
}

/// Why an authentic and well-formed body makes no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// The event type is none that is mapped.
    #[error("this event type is not mapped")]
    EventType,
    /// The event type is mapped only when a setting says so.
    #[error("this event type is not enabled")]
    NotEnabled,
    /// Nothing that would be sent has changed.
    #[error("nothing that is sent to Segment has changed")]
    Unchanged,
    /// The event cannot be used, and refusing it would make the provider fail the user's own action.
    #[error("it cannot be used ({0}), and a refusal would fail the user's action")]
    Unusable(#[source] Unusable),
}

impl Ignored {
    /// The reason in one word, for counting.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::EventType => "event_type",
            Self::NotEnabled => "not_enabled",
            Self::Unchanged => "unchanged",
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

/// Why a body could not be mapped.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// There is no such provider.
    #[error("there is no provider of this name; known are: {known}")]
    UnknownProvider {
        /// The known providers.
        known: String,
    },
    /// The body is not a JSON object.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The body is understood, but a field that is needed is missing or wrong.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

impl From<InvalidMessage> for Unusable {
    fn from(error: InvalidMessage) -> Self {
        Self { path: error.path.to_owned(), problem: error.problem.to_string() }
    }
}

/// Maps a webhook body as the handler would, without authentication and without publishing: a dry run.
/// `provider` is the part of the URL after `/identity/`, such as `fusionauth`.
///
/// # Errors
/// [`MapError`] for an unknown provider, and for what the handler would answer with 400 or 422.
pub fn map(provider: &str, body: &[u8], config: &Config) -> Result<Mapping, MapError> {
    let provider = providers::find(provider)
        .ok_or_else(|| MapError::UnknownProvider { known: providers::names().join(", ") })?;
    (provider.map)(body, config)
}

/// What tells one event of a provider from another.
pub(crate) enum Identity<'a> {
    /// The provider's own id of the event.
    Event(&'a str),
    /// The whole body, for want of an id: what is sent again unchanged is the same event.
    Body(&'a [u8]),
}

/// The id of the message of type `call` that an event makes: always the same for the same event, another for
/// another call, write key or deployment. `event_type` is part of it because FusionAuth's example
/// events, of different types, share one id.
pub(crate) fn message_id(
    provider: &str,
    config: &Config,
    write_key: &str,
    event_type: &str,
    call: MessageType,
    identity: &Identity<'_>,
) -> String {
    let (kind, identity): (&[u8], &[u8]) = match identity {
        Identity::Event(id) => (b"event", id.as_bytes()),
        Identity::Body(body) => (b"body", body),
    };
    let mut context = Context::new(&SHA256);
    let parts = [config.deployment.as_bytes(), write_key.as_bytes(), event_type.as_bytes()];
    for part in parts.into_iter().chain([call.as_str().as_bytes(), kind, identity]) {
        // With its length before it, no part can take bytes from its neighbour.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    format!("{provider}-{}", URL_SAFE_NO_PAD.encode(context.finish()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_message_id_depends_on_each_of_its_parts_and_on_nothing_else() {
        let id = |deployment, write_key, event_type, call, identity: Identity<'_>| {
            message_id("fusionauth", &Config::new(deployment), write_key, event_type, call, &identity)
        };
        let (track, identify) = (MessageType::Track, MessageType::Identify);
        let ids = [
            id("d", "k", "t", track, Identity::Event("1")),
            id("d2", "k", "t", track, Identity::Event("1")),
            id("d", "k2", "t", track, Identity::Event("1")),
            id("d", "k", "t2", track, Identity::Event("1")),
            id("d", "k", "t", identify, Identity::Event("1")),
            id("d", "k", "t", track, Identity::Event("2")),
            id("d", "k", "t", track, Identity::Body(b"1")),
            id("dk", "", "t", track, Identity::Event("1")),
        ];
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        assert_eq!(ids[0], id("d", "k", "t", track, Identity::Event("1")));
        assert_eq!(ids[0].len(), "fusionauth-".len() + 43);
    }

    #[test]
    fn an_unknown_provider_is_named_with_those_that_exist() {
        let error = map("nobody", b"{}", &Config::new("d")).unwrap_err();
        assert_eq!(error.to_string(), "there is no provider of this name; known are: fusionauth");
    }
}
