//! The crate's functions with a fixed time, and the samples of `events/`.

use std::{collections::BTreeSet, path::Path};

use identity::{Config, HashKey, MapError, Mapped, Mapper, Mapping, Mappings, Provider, Providers};
use jiff::Timestamp;
use serde_json::Value;

/// Returns the time of receipt.
pub fn now() -> Timestamp {
    "2026-11-21T08:00:00Z".parse().unwrap()
}

/// Maps a body.
pub fn map(provider: &str, body: impl AsRef<[u8]>, config: &Config) -> Result<Mapping, MapError> {
    hashed(provider, body, config, None)
}

/// Maps a body with this key for hashed fields.
pub fn hashed(
    provider: &str,
    body: impl AsRef<[u8]>,
    config: &Config,
    key: Option<&HashKey>,
) -> Result<Mapping, MapError> {
    let body = config.providers().named(provider)?.read(body.as_ref())?;
    Mapper::new(config, key, now()).map(body.events()?)
}

/// Returns the messages of a mapping.
pub fn messages(mapping: &Mapping) -> Vec<Value> {
    mapping.messages.iter().map(|mapped| Value::Object(mapped.message.as_object().clone())).collect()
}

/// Returns the message ids of a mapping.
pub fn ids(mapping: &Mapping) -> Vec<&str> {
    mapping.messages.iter().map(|mapped| mapped.message.message_id().unwrap()).collect()
}

/// Returns all that is sent, answered or logged for a body.
pub fn seen(provider: &str, body: &Value) -> String {
    match map(provider, body.to_string(), &Config::new("d")) {
        Ok(mapping) => {
            let sent = |mapped: &Mapped| {
                format!("{} {} {:?}", mapped.message.as_json(), mapped.event_type, mapped.left_out)
            };
            let ignored = mapping.ignored.iter().map(ToString::to_string);
            mapping.messages.iter().map(sent).chain(ignored).collect()
        }
        Err(error) => error.to_string(),
    }
}

/// Returns the messages of a body without the members that all messages share, and the number of events
/// without a message.
pub fn mapped(provider: &str, body: &Value, config: &Config) -> (Vec<Value>, usize) {
    let mapping = map(provider, body.to_string(), config).unwrap();
    let message = |mapped: &Mapped| {
        let mut message = mapped.message.as_object().clone();
        message.remove("messageId");
        let context = message["context"].as_object_mut().unwrap();
        context.retain(|name, _| !matches!(name.as_str(), "channel" | "library"));
        Value::Object(message)
    };
    (mapping.messages.iter().map(message).collect(), mapping.ignored.len())
}

/// Returns the messages of a body in short: `identify u1`, `track u1 Signed In`, `group u1 in g1`.
pub fn outline(provider: &str, body: &Value, config: &Config) -> Vec<String> {
    let short = |message: &Value| {
        let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
        let user = if message["userId"].is_null() {
            "anonymous ".to_owned() + &text("anonymousId")
        } else {
            text("userId")
        };
        let group =
            if message["groupId"].is_null() { String::new() } else { format!("in {}", text("groupId")) };
        format!("{} {user} {}{group}", text("type"), text("event")).trim_end().to_owned()
    };
    mapped(provider, body, config).0.iter().map(short).collect()
}

/// Returns a configuration with this mapping merged into the built-in one.
pub fn with_mapping(text: &str) -> Config {
    Config { mappings: Mappings::with("own", text).unwrap(), ..Config::new("d") }
}

/// Returns a configuration in which events have Segment's own names.
pub fn segment_naming() -> Config {
    with_mapping("naming = 'segment'")
}

/// Returns a body below `events/`, such as `identity-webhook/bodies/okta.user.session.end`.
pub fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/../../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the body of a webhook's sample.
pub fn sample_body(name: &str) -> Vec<u8> {
    sample(&format!("identity-webhook/bodies/{name}"))
}

/// Returns every sample body with its name and its provider's route.
pub fn samples() -> Vec<(&'static str, String, Vec<u8>)> {
    let route = |name: &String| {
        let of_name =
            |provider: &&Provider| name.starts_with(&format!("{}.", provider.route.replace('/', ".")));
        Providers::built_in()
            .webhooks()
            .find(of_name)
            .unwrap_or_else(|| panic!("{name} is of no provider"))
            .route
    };
    let webhooks = names("identity-webhook/bodies").into_iter();
    let mut samples: Vec<_> = webhooks.map(|name| (route(&name), sample_body(&name), name)).collect();
    let triggers = names("cognito-trigger").into_iter();
    samples.extend(triggers.map(|name| ("cognito", sample(&format!("cognito-trigger/{name}")), name)));
    samples.into_iter().map(|(route, body, name)| (route, name, body)).collect()
}

/// Returns the samples that are one JSON document.
pub fn bodies() -> Vec<(&'static str, Value)> {
    let document = |(route, _, body): (_, _, Vec<u8>)| Some((route, serde_json::from_slice(&body).ok()?));
    samples().into_iter().filter_map(document).collect()
}

/// Returns the names of the files in a folder of `events/`, without `.json`.
fn names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    files.filter_map(|name| Some(name.to_str().unwrap().strip_suffix(".json")?.to_owned())).collect()
}
