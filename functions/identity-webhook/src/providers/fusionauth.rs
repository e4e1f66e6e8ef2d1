//! FusionAuth: what its events look like and what they become.
//!
//! The body is one event, `{"event": {…}}`; some of FusionAuth's own examples lack the wrapper, so both are
//! taken. Only `id` and `type` are in every event: everything else is optional. The documented misspellings
//! (`user.two-factor.failed.attempt`, `.complete` events without `.complete`) are all of types that are
//! not mapped, and end as those do.

mod caller;
mod traits;

use platform::config::LIBRARY;
use segment::{MAX_MESSAGE_BYTES, Message, MessageType, json, timestamp};
use serde_json::{Map, Value};

use super::Provider;
use crate::{
    Config,
    authentication::BodyHashToken,
    mapping::{self, Identity, Ignored, MapError, Mapped, Mapping, Unusable},
};

pub(super) const PROVIDER: Provider = Provider {
    route: "fusionauth",
    name: "fusionauth",
    signature: Some(BodyHashToken { header: "x-fusionauth-signature-jwt", claim: "request_body_sha256" }),
    map,
};

/// An event type that is mapped.
struct EventType {
    name: &'static str,
    call: MessageType,
    /// Whether FusionAuth may be set to fail the user's action when the webhook is refused: then a body
    /// that cannot be used is ignored rather than refused, for a refusal would keep the user from logging in.
    transactional: bool,
}

const DEACTIVATE: &str = "user.deactivate";

const EVENT_TYPES: &[EventType] = &[
    EventType { name: "user.create.complete", call: MessageType::Identify, transactional: false },
    EventType { name: "user.email.update", call: MessageType::Identify, transactional: false },
    EventType { name: "user.update.complete", call: MessageType::Identify, transactional: false },
    EventType { name: "user.login.success", call: MessageType::Track, transactional: true },
    EventType { name: "user.delete.complete", call: MessageType::Delete, transactional: false },
    EventType { name: DEACTIVATE, call: MessageType::Delete, transactional: true },
];

fn map(body: &[u8], config: &Config) -> Result<Mapping, MapError> {
    let mut envelope = json::parse_object(body)?;
    let (event, prefix) = match envelope.remove("event") {
        Some(Value::Object(event)) => (event, "event."),
        Some(_) => return Err(unusable("event", "must be an object").into()),
        None => (envelope, ""),
    };
    let name = required_text(&event, "type", prefix)?;
    let Some(event_type) = EVENT_TYPES.iter().find(|known| known.name == name) else {
        return Ok(Mapping::Ignored(Ignored::EventType));
    };
    if event_type.name == DEACTIVATE && !config.deactivate_deletes {
        return Ok(Mapping::Ignored(Ignored::NotEnabled));
    }
    match map_event(event_type, &event, prefix, body, config) {
        Err(error) if event_type.transactional => Ok(Mapping::Ignored(Ignored::Unusable(error))),
        other => Ok(other?),
    }
}

fn map_event(
    event_type: &EventType,
    event: &Map<String, Value>,
    prefix: &str,
    body: &[u8],
    config: &Config,
) -> Result<Mapping, Unusable> {
    let user = match event.get("user") {
        Some(Value::Object(user)) => user,
        Some(_) => return Err(unusable(format!("{prefix}user"), "must be an object")),
        None => return Err(unusable(format!("{prefix}user"), "is missing")),
    };
    let user_id = required_text(user, "id", &format!("{prefix}user."))?;
    let traits = if event_type.call == MessageType::Identify { traits::traits(user) } else { Map::new() };
    if let Some(Value::Object(original)) = event.get("original")
        && event_type.call == MessageType::Identify
        && traits::same_but_for_bookkeeping(&traits::traits(original), &traits)
    {
        return Ok(Mapping::Ignored(Ignored::Unchanged));
    }

    let write_key = config.write_key(text(event, "tenantId").or_else(|| text(user, "tenantId")));
    let identity = text(event, "id").map_or(Identity::Body(body), Identity::Event);
    let id =
        mapping::message_id(PROVIDER.name, config, write_key, event_type.name, event_type.call, &identity);

    let mut object = Map::new();
    object.insert("type".to_owned(), event_type.call.as_str().into());
    if event_type.call != MessageType::Delete {
        object.insert("event".to_owned(), event_type.name.into());
    }
    object.insert("messageId".to_owned(), id.into());
    object.insert("userId".to_owned(), user_id.into());
    if let Some(time) = event.get("createInstant").and_then(timestamp::parse) {
        object.insert("timestamp".to_owned(), timestamp::format(time).into());
    }
    object.insert("context".to_owned(), caller::context(event, event_type.call).into());
    match event_type.call {
        MessageType::Identify => object.insert("traits".to_owned(), traits.into()),
        MessageType::Track => object.insert("properties".to_owned(), login_properties(event).into()),
        _ => None,
    };
    LIBRARY.stamp(&mut object);

    // A member of the body goes into a message at most twice, and one character can grow to two: from a small body
    // comes no large message, and the encoding that measures it is saved.
    let left_out = if body.len() > MAX_MESSAGE_BYTES / 5 { fit(&mut object) } else { Vec::new() };
    Ok(Mapping::Messages(vec![Mapped {
        message: Message::from_object(object)?,
        write_key: write_key.to_owned(),
        event_type: event_type.name,
        left_out,
    }]))
}

/// The guide sends none. These tell a password from a social login, and a person from an API.
fn login_properties(event: &Map<String, Value>) -> Map<String, Value> {
    ["applicationId", "authenticationType", "identityProviderId", "identityProviderName"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), text(event, name)?.into())))
        .collect()
}

/// What goes first when a message is too large: the free-form data, then the lists that can grow.
const DISPENSABLE: [&str; 3] = ["data", "registrations", "memberships"];

/// Takes the largest free-form fields out of a message above Segment's limit, which is better than to lose
/// it, and says so in `context.leftOut`. Returns their names.
fn fit(object: &mut Map<String, Value>) -> Vec<&'static str> {
    let mut left_out = Vec::new();
    for name in DISPENSABLE {
        if json::encode(object).len() <= MAX_MESSAGE_BYTES {
            break;
        }
        let Some(Value::Object(traits)) = object.get_mut("traits") else { break };
        if traits.shift_remove(name).is_none() {
            continue;
        }
        left_out.push(name);
        if let Some(Value::Object(context)) = object.get_mut("context") {
            let paths = left_out.iter().map(|name| format!("traits.{name}").into()).collect();
            context.insert("leftOut".to_owned(), Value::Array(paths));
        }
    }
    left_out
}

/// A member that is a text with something in it.
fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

fn required_text<'a>(object: &'a Map<String, Value>, name: &str, prefix: &str) -> Result<&'a str, Unusable> {
    let problem = match object.get(name) {
        Some(Value::String(text)) if text.trim().is_empty() => "must not be empty",
        Some(Value::String(text)) => return Ok(text),
        Some(Value::Null) | None => "is missing",
        Some(_) => "must be a string",
    };
    Err(unusable(format!("{prefix}{name}"), problem))
}

fn unusable(path: impl Into<String>, problem: &str) -> Unusable {
    Unusable { path: path.into(), problem: problem.to_owned() }
}
