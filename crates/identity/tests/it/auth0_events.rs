//! Auth0's Event Streams: every type, and updates that change nothing.

use identity::{Config, Ignored, MapError, Mapping};
use serde_json::{Value, json};

use crate::support::{self, map, sample_body, with_mapping};

/// Every type of the schema, and its messages.
pub const TYPES: &[(&str, &[&str])] = &[
    ("user.created", &["identify", "user.created"]),
    ("user.updated", &["identify", "user.updated"]),
    ("user.deleted", &["delete"]),
    ("organization.created", &["group"]),
    ("organization.updated", &["group"]),
    ("organization.deleted", &["Account Deleted"]),
    ("organization.member.added", &["group", "Account Added User"]),
    ("organization.member.deleted", &["Account Removed User"]),
    ("organization.member.role.assigned", &["organization.member.role.assigned"]),
    ("organization.member.role.deleted", &["organization.member.role.deleted"]),
    ("organization.connection.added", &[]),
    ("organization.connection.removed", &[]),
    ("organization.connection.updated", &[]),
    ("group.created", &[]),
    ("group.updated", &[]),
    ("group.deleted", &[]),
    ("group.member.added", &[]),
    ("group.member.deleted", &[]),
];

fn event(event_type: &str) -> Value {
    let object = match event_type.split_once('.') {
        Some(("user", _)) => json!({"user_id": "auth0|1", "email": "ada@example.com"}),
        Some(("organization", "created" | "updated" | "deleted")) => json!({"id": "org_1", "name": "acme"}),
        _ => {
            json!({"organization": {"id": "org_1"}, "user": {"user_id": "auth0|1"}, "role": {"id": "r", "name": "editor"}})
        }
    };
    json!({
        "specversion": "1.0", "type": event_type, "source": "urn:auth0:", "id": "evt_1",
        "time": "2026-11-21T07:59:00Z", "a0tenant": "t", "data": {"object": object},
    })
}

fn map_with(event: &Value, config: &Config) -> Mapping {
    map("auth0/events", event.to_string(), config).unwrap()
}

fn mapped(event: &Value) -> Mapping {
    map_with(event, &Config::new("d"))
}

fn messages(event: &Value) -> Vec<Value> {
    support::messages(&mapped(event))
}

fn sample_event(name: &str) -> Value {
    serde_json::from_slice(&sample_body(&format!("auth0.events.{name}"))).unwrap()
}

#[test]
fn a_member_is_only_in_the_group_that_is_named() {
    for organization in [json!(null), json!("org_1"), json!({"id": 7})] {
        let mut event = event("organization.member.added");
        event["data"]["object"]["organization"] = organization;
        event["data"]["object"]["id"] = json!("mem_1");
        let made: Vec<_> = messages(&event).iter().map(|one| one["type"].clone()).collect();
        assert_eq!(made, ["track"], "{event}");
    }
}

#[test]
fn every_type_makes_the_tables_messages_or_is_ignored() {
    for (event_type, expected) in TYPES {
        let messages = messages(&event(event_type));
        let names = messages.iter().map(|one| one.get("event").unwrap_or(&one["type"]).as_str().unwrap());
        assert_eq!(names.collect::<Vec<_>>(), *expected, "{event_type}");
        if expected.is_empty() {
            assert_eq!(mapped(&event(event_type)).ignored, [Ignored::EventType((*event_type).to_owned())]);
        }
        for message in messages {
            assert_eq!(message["timestamp"], "2026-11-21T07:59:00.000Z");
            let user = ["organization.created", "organization.updated", "organization.deleted"];
            let id = if user.contains(event_type) { ("anonymousId", "org_1") } else { ("userId", "auth0|1") };
            assert_eq!(message[id.0], id.1, "{event_type}");
            assert!(message.get("userId").is_some() != message.get("anonymousId").is_some());
            let is_about_an_organization = event_type.starts_with("organization.");
            assert_eq!(message["context"].get("groupId").is_some(), is_about_an_organization, "{event_type}");
        }
    }
}

#[test]
fn every_type_tolerates_any_odd_member() {
    let odd = [json!(null), json!(7), json!("x"), json!([]), json!({}), json!([{}]), json!(true)];
    for (event_type, _) in TYPES {
        for pointer in ["/data", "/data/object", "/id", "/time", "/a0tenant", "/source"] {
            for value in &odd {
                let mut event = event(event_type);
                *event.pointer_mut(pointer).unwrap() = value.clone();
                // An event without a user is refused. A person sees that in Auth0's delivery log.
                let _ = map("auth0/events", event.to_string(), &Config::new("d"));
            }
        }
    }
}

#[test]
fn an_update_that_changes_no_sent_field_makes_no_message() {
    let before = json!({
        "user_id": "auth0|1", "email": "ada@example.com", "updated_at": "2026-11-21T07:00:00Z", "logins_count": 1,
        "app_metadata": {"plan": "free"}, "identities": [{"connection": "db"}],
    });
    for (member, value, changes) in [
        ("last_login", json!("2026-11-21T07:59:00Z"), false),
        ("last_ip", json!("203.0.113.7"), false),
        ("logins_count", json!(2), false),
        ("updated_at", json!("2026-11-21T07:59:00Z"), false),
        ("app_metadata", json!({"plan": "pro"}), false),
        ("unheard_of", json!(1), false),
        ("email", json!("new@example.com"), true),
        ("email", json!(null), true),
        ("blocked", json!(true), true),
        ("identities", json!([{"connection": "db"}, {"connection": "google-oauth2"}]), true),
    ] {
        let mut event = event("user.updated");
        event["data"]["previous_object"] = before.clone();
        event["data"]["object"] = before.clone();
        event["data"]["object"][member] = value;
        let mapping = mapped(&event);
        assert_eq!(mapping.messages.len() == 2, changes, "{member}");
        assert_eq!(matches!(mapping.ignored[..], [Ignored::Unchanged(_)]), !changes, "{member}");
        // In the schema's own example, a new user equals its former self.
        event["type"] = json!("user.created");
        assert_eq!(mapped(&event).messages.len(), 2);
    }
    assert_eq!(mapped(&event("user.updated")).messages.len(), 2, "without the former user");
}

#[test]
fn a_metadata_member_that_a_mapping_names_is_sent_and_counts_as_a_change() {
    let mine = r#"auth0.events.on."user.updated".identify = { traits = { plan = "event.data.object.app_metadata.plan" } }"#;
    let config = with_mapping(mine);
    let mut event = sample_event("user.updated-unchanged");
    assert_eq!(map_with(&event, &config).ignored, [Ignored::Unchanged("user.updated".to_owned())]);
    event["data"]["object"]["app_metadata"]["plan"] = json!("enterprise");
    let mapping = map_with(&event, &config);
    assert_eq!(mapping.messages[0].message.get("traits").unwrap(), &json!({"plan": "enterprise"}));
}

#[test]
fn a_test_delivery_makes_no_user() {
    for (event_type, _) in TYPES {
        let mut event = event(event_type);
        event["a0purpose"] = json!("test");
        let mapping = mapped(&event);
        assert!(mapping.messages.is_empty() && matches!(mapping.ignored[..], [Ignored::LeftOut(_)]));
    }
    let mut event = event("user.created");
    event["a0purpose"] = json!("");
    assert_eq!(mapped(&event).messages.len(), 2);
}

#[test]
fn an_event_that_is_sent_again_is_the_same_message() {
    let ids = |event: &Value| -> Vec<Value> {
        messages(event).iter().map(|one| one["messageId"].clone()).collect()
    };
    let mut event = event("user.created");
    let first = ids(&event);
    assert_eq!(ids(&event), first);
    assert_ne!(first[0], first[1]);
    event["id"] = json!("evt_2");
    assert_ne!(ids(&event), first);
}

#[test]
fn a_body_that_is_no_event_is_refused() {
    let mut without_user = event("user.created");
    without_user["data"]["object"]["user_id"] = json!(null);
    let mut member_without_user = event("organization.member.added");
    member_without_user["data"]["object"]["user"] = json!(null);
    for (body, is_json) in [
        ("[]".to_owned(), false),
        ("{".to_owned(), false),
        ("{}".to_owned(), true),
        (without_user.to_string(), true),
        (member_without_user.to_string(), true),
    ] {
        let error = map("auth0/events", &body, &Config::new("d")).unwrap_err();
        assert_eq!(matches!(error, MapError::Unusable(_)), is_json, "{body}");
    }
}
