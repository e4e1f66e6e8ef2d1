//! A user who exists already, as the mapping tells of one who is made now: for a backfill.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use segment::{Message, MessageType, json, timestamp};
use serde_json::{Map, Value};

use super::{
    HashKey, Ignored, MapError, Mapped, Mapping, Unusable, event::Identity, map_events, message_id::Origin,
    time::Time,
};
use crate::{Config, providers, providers::Provider};

/// The identify that the mapping makes of a user, with `context.active: false` and the time of the user's last change.
/// `provider` is the route whose events hold such a user: `fusionauth` or `auth0/events`. Other calls that the mapping
/// makes of a new user are left out: nobody signs up now.
///
/// The `messageId` is made of what the message says. So the same user in the same state is the same message, however
/// often and from whichever kind of file it is read, and one that changed, or that another mapping tells of, is not.
/// `now` tells which times cannot be true.
///
/// # Errors
/// [`MapError`] for a provider without users to read, and for a user that cannot be used.
pub fn identify_user(
    provider: &str,
    user: Map<String, Value>,
    config: &Config,
    hash_key: Option<&HashKey>,
    now: Timestamp,
) -> Result<Mapping, MapError> {
    let provider = with_users(provider)?;
    let event_type = event_type(provider, config);
    let changed_at = changed(provider, &user, now);
    let document = event(provider, event_type, user);
    let mut events = (provider.events)(&document, b"")?;
    for event in events.iter_mut().flatten() {
        event.time = changed_at.map_or(Time::Missing, Time::At);
        event.identity = Identity::Event("".into());
    }
    // The size of the user is not known here; a message is measured anyway.
    let mut mapping = map_events(provider, events, usize::MAX, config, hash_key, now, false)?;
    mapping.messages.retain(|mapped| mapped.message.message_type() == MessageType::Identify);
    if mapping.messages.is_empty() && mapping.ignored.is_empty() {
        mapping.ignored.push(Ignored::Condition(event_type.to_owned()));
    }
    for mapped in &mut mapping.messages {
        mapped.message = absent(provider, mapped, &config.deployment, changed_at)?;
    }
    Ok(mapping)
}

/// When the user became what it is, as far as the provider says. `provider` is as for [`identify_user`].
///
/// # Errors
/// [`MapError`] for a provider without users to read.
pub fn changed_at(
    provider: &str,
    user: &Map<String, Value>,
    now: Timestamp,
) -> Result<Option<Timestamp>, MapError> {
    Ok(changed(with_users(provider)?, user, now))
}

fn with_users(route: &str) -> Result<&'static Provider, MapError> {
    let has_users = |provider: &&Provider| !provider.existing.is_empty();
    providers::named(route).filter(has_users).ok_or_else(|| {
        let routes = providers::routes().into_iter();
        let known: Vec<&str> =
            routes.filter(|route| providers::named(route).as_ref().is_some_and(has_users)).collect();
        MapError::UnknownProvider { known: known.join(", ") }
    })
}

fn changed(provider: &Provider, user: &Map<String, Value>, now: Timestamp) -> Option<Timestamp> {
    let plausible = |time: &Timestamp| timestamp::plausible(*time, now);
    provider.changed_at.iter().find_map(|member| timestamp::parse(user.get(*member)?).filter(plausible))
}

/// The event type whose rules tell of the user: the first with an identify.
fn event_type(provider: &Provider, config: &Config) -> &'static str {
    let identifies = |event_type: &&&str| {
        let rules = config.mappings.rules.get(provider.route).and_then(|rules| rules.on.get(**event_type));
        rules.is_some_and(|rules| rules.rules.iter().any(|rule| rule.call == MessageType::Identify))
    };
    let mut types = provider.existing.iter();
    types.find(identifies).or(provider.existing.first()).copied().unwrap_or_default()
}

/// The event that would have told of the user.
fn event(provider: &Provider, event_type: &str, user: Map<String, Value>) -> Value {
    let nest = |inner, name: &&str| Value::Object([((*name).to_owned(), inner)].into_iter().collect());
    let mut event = provider.user_at.iter().rev().fold(Value::Object(user), nest);
    if let Value::Object(event) = &mut event {
        event.insert("type".to_owned(), event_type.into());
    }
    event
}

/// The message without the claim that the person is here now, and with its own id.
fn absent(
    provider: &Provider,
    mapped: &Mapped,
    deployment: &str,
    changed_at: Option<Timestamp>,
) -> Result<Message, Unusable> {
    let mut object = mapped.message.as_object().clone();
    object.shift_remove("messageId");
    if changed_at.is_none() {
        // The time of reading would make another message of the same user each time.
        object.shift_remove("timestamp");
    }
    let context = object.entry("context").or_insert_with(|| Value::Object(Map::new()));
    let library = match context {
        Value::Object(context) => {
            context.insert("active".to_owned(), false.into());
            context.shift_remove("library")
        }
        _ => None,
    };
    // Without the library, so that another version of Segue does not say everything again.
    let content = URL_SAFE_NO_PAD.encode(digest(&SHA256, json::encode(&object).as_bytes()));
    let origin = Origin {
        provider: provider.name,
        deployment,
        write_key: &mapped.write_key,
        event_type: "existing user",
        identity: &Identity::Event(content.into()),
    };
    object.insert("messageId".to_owned(), origin.message_id(MessageType::Identify, 0).into());
    if let (Some(Value::Object(context)), Some(library)) = (object.get_mut("context"), library) {
        context.insert("library".to_owned(), library);
    }
    Ok(Message::from_object(object)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    fn identify(provider: &str, user: Value, config: &Config) -> Value {
        let Value::Object(user) = user else { panic!("an object") };
        let mapping = identify_user(provider, user, config, None, now()).unwrap();
        assert_eq!(mapping.messages.len(), 1, "{:?}", mapping.ignored);
        serde_json::from_str(mapping.messages[0].message.as_json()).unwrap()
    }

    fn fusionauth() -> Value {
        json!({
            "id": "u1", "email": "a@example.com", "insertInstant": 1_600_000_000_000_i64,
            "lastUpdateInstant": 1_700_000_000_000_i64, "password": "x", "data": {"plan": "team", "apiKey": "x"},
        })
    }

    fn auth0() -> Value {
        json!({
            "user_id": "auth0|1", "email": "a@example.com", "created_at": "2025-11-21T08:00:00.000Z",
            "identities": [{"connection": "db", "access_token": "x"}], "user_metadata": {"plan": "team"},
        })
    }

    #[test]
    fn a_user_is_what_the_webhook_of_its_creation_makes_of_it() {
        let config = Config::new("d");
        let created = json!({"event": {"id": "1", "type": "user.create.complete", "user": fusionauth()}});
        let created_too = json!({"id": "1", "type": "user.created", "data": {"object": auth0()}});
        for (provider, user, body) in
            [("fusionauth", fusionauth(), created), ("auth0/events", auth0(), created_too)]
        {
            let mapped =
                super::super::map(provider, body.to_string().as_bytes(), &config, None, now()).unwrap();
            let webhook: Value = serde_json::from_str(mapped.messages[0].message.as_json()).unwrap();
            let existing = identify(provider, user, &config);
            for field in ["type", "userId", "event", "traits"] {
                assert_eq!(existing[field], webhook[field], "{provider} {field}");
            }
            assert_ne!(existing["messageId"], webhook["messageId"]);
            assert_eq!(existing["context"]["active"], false);
            assert_eq!(existing["context"]["library"]["name"], "segue");
            assert!(!existing.to_string().contains("\"x\""), "{existing}");
        }
    }

    #[test]
    fn the_time_is_that_of_the_last_change() {
        let config = Config::new("d");
        assert_eq!(identify("fusionauth", fusionauth(), &config)["timestamp"], "2023-11-14T22:13:20.000Z");
        assert_eq!(identify("auth0/events", auth0(), &config)["timestamp"], "2025-11-21T08:00:00.000Z");
        let timeless = identify("fusionauth", json!({"id": "u1"}), &config);
        assert_eq!(timeless.get("timestamp"), None);
    }

    #[test]
    fn the_same_user_is_the_same_message_and_a_changed_one_is_not() {
        let id = |user: Value, config: &Config| identify("fusionauth", user, config)["messageId"].clone();
        let config = Config::new("d");
        let first = id(fusionauth(), &config);
        assert_eq!(first, id(fusionauth(), &config));
        let mut changed = fusionauth();
        changed["lastUpdateInstant"] = json!(1_700_000_000_001_i64);
        assert_ne!(first, id(changed, &config));
        assert_ne!(first, id(fusionauth(), &Config::new("d2")));
        let mut hidden = fusionauth();
        hidden["breachedPasswordStatus"] = json!("None");
        assert_eq!(first, id(hidden, &config), "what is not sent makes no difference");
    }

    #[test]
    fn a_mapping_of_ones_own_counts_and_only_its_identify_is_sent() {
        let mut config = Config::new("d");
        let text = "[fusionauth.on]\n'user.create.complete'.ignore = true\n\
                    'user.update.complete'.identify = { traits = { mail = 'profile.email' } }\n\
                    'user.update.complete'.track = {}\n";
        config.mappings = crate::Mappings::with("mine.toml", text).unwrap();
        assert_eq!(identify("fusionauth", fusionauth(), &config)["traits"], json!({"mail": "a@example.com"}));
        config.mappings = crate::Mappings::with(
            "mine.toml",
            "[fusionauth.on]\n'user.create.complete'.ignore = true\n'user.update.complete'.ignore = true\n",
        )
        .unwrap();
        let Value::Object(user) = fusionauth() else { panic!("an object") };
        let mapping = identify_user("fusionauth", user, &config, None, now()).unwrap();
        assert_eq!(mapping.ignored, [Ignored::EventType("user.create.complete".to_owned())]);
    }

    #[test]
    fn a_user_without_an_id_and_a_provider_without_users_are_refused() {
        let config = Config::new("d");
        let error = identify_user("fusionauth", Map::new(), &config, None, now()).unwrap_err();
        assert_eq!(error.to_string(), "user.id is missing");
        let error = identify_user("okta", Map::new(), &config, None, now()).unwrap_err();
        assert!(error.to_string().ends_with("known are: fusionauth, auth0/events"), "{error}");
    }
}
