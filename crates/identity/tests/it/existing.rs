//! Existing users.

use identity::{Config, Ignored, MapError, Mapper, Mapping};
use serde_json::{Map, Value, json};

use crate::support::{map, now, with_mapping};

fn identified(provider: &str, user: Map<String, Value>, config: &Config) -> Result<Mapping, MapError> {
    Mapper::new(config, None, now()).identify(config.providers().named(provider)?, user)
}

fn identify(provider: &str, user: Value, config: &Config) -> Value {
    let Value::Object(user) = user else { panic!("an object") };
    let mapping = identified(provider, user, config).unwrap();
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
fn an_existing_user_is_identified_like_a_new_one() {
    let config = Config::new("d");
    let created = json!({"event": {"id": "1", "type": "user.create.complete", "user": fusionauth()}});
    let created_too = json!({"id": "1", "type": "user.created", "data": {"object": auth0()}});
    for (provider, user, body) in
        [("fusionauth", fusionauth(), created), ("auth0/events", auth0(), created_too)]
    {
        let mapped = map(provider, body.to_string(), &config).unwrap();
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
    assert_eq!(first, id(hidden, &config), "a field that is not sent makes no difference");
}

#[test]
fn the_users_own_mapping_applies_and_only_its_identify_is_sent() {
    let text = "[fusionauth.on]\n'user.create.complete'.ignore = true\n\
                'user.update.complete'.identify = { traits = { mail = 'profile.email' } }\n\
                'user.update.complete'.track = {}\n";
    assert_eq!(
        identify("fusionauth", fusionauth(), &with_mapping(text))["traits"],
        json!({"mail": "a@example.com"})
    );
    let config = with_mapping(
        "[fusionauth.on]\n'user.create.complete'.ignore = true\n'user.update.complete'.ignore = true\n",
    );
    let Value::Object(user) = fusionauth() else { panic!("an object") };
    let mapping = identified("fusionauth", user, &config).unwrap();
    let [Ignored::ByRule { event_type, at }] = &mapping.ignored[..] else { panic!("{:?}", mapping.ignored) };
    assert_eq!(
        (event_type.as_str(), at.line, mapping.ignored[0].as_str()),
        ("user.create.complete", 2, "event_type")
    );
}

#[test]
fn a_user_without_an_id_and_a_provider_without_users_are_refused() {
    let config = Config::new("d");
    let error = identified("fusionauth", Map::new(), &config).unwrap_err();
    assert_eq!(error.to_string(), "user.id is missing");
    let error = identified("okta", Map::new(), &config).unwrap_err();
    assert!(error.to_string().ends_with("known are: fusionauth, auth0/events"), "{error}");
}
