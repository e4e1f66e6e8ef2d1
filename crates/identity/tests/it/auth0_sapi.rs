//! Calls of Auth0's Management API in a log stream. Their user is the one that the call is about, never the
//! administrator.

use identity::{Config, Ignored, Mapping};
use serde_json::{Value, json};

use crate::support::{self, map};

const ADMINISTRATOR: &str = "auth0|administrator";
const USERS: &str = "/api/v2/users";

fn call(description: &str, path: Option<&str>, body: &Value, response: &Value) -> Value {
    let mut log = json!({"log_id": "1", "data": {
        "type": "sapi", "description": description, "user_id": ADMINISTRATOR, "user_name": "admin@example.com",
        "ip": "203.0.113.9", "user_agent": "Mozilla/5.0", "tenant_name": "t",
        "details": {"request": {"body": body, "ip": "203.0.113.9", "auth": {"user": {"email": "admin@example.com"}}},
            "response": {"body": response}},
    }});
    if let Some(path) = path {
        log["data"]["details"]["request"]["path"] = json!(path);
    }
    log
}

fn mapped(call: &Value) -> Mapping {
    map("auth0/logs", call.to_string(), &Config::new("d")).unwrap()
}

fn messages(call: &Value) -> Vec<Value> {
    support::messages(&mapped(call))
}

#[test]
fn the_user_is_the_one_that_the_call_is_about() {
    let user = json!({"user_id": "auth0|1", "email": "ada@example.com"});
    for (description, path, response, expected) in [
        ("Create a User", Some(USERS), user.clone(), ("identify", "auth0|1")),
        ("Create a User", None, user.clone(), ("identify", "auth0|1")),
        ("Update a User", Some("/api/v2/users/auth0%7C1"), user, ("identify", "auth0|1")),
        ("Update a User", Some("/api/v2/users/auth0|1/"), json!({}), ("identify", "auth0|1")),
        ("Update a User", Some("/api/v2/users/auth0%7C1?fields=email"), json!([]), ("identify", "auth0|1")),
        (
            "Delete a User",
            Some("/api/v2/users/samlp%7Ccorp%7Cada%40example.com"),
            json!({}),
            ("delete", "samlp|corp|ada@example.com"),
        ),
        (" Delete a User ", Some("/api/v2/users/auth0%7C1"), json!(null), ("delete", "auth0|1")),
    ] {
        let call = call(description, path, &json!({"email": "ada@example.com"}), &response);
        let messages = messages(&call);
        assert_eq!(messages.len(), 1, "{call}");
        assert_eq!(
            (messages[0]["type"].as_str(), messages[0]["userId"].as_str()),
            (Some(expected.0), Some(expected.1)),
            "{call}"
        );
        let text = messages[0].to_string();
        assert!(
            !text.contains("admin") && !text.contains("203.0.113.9") && !text.contains("Mozilla"),
            "{text}"
        );
    }
}

#[test]
fn the_traits_are_those_of_the_answer() {
    let response = json!({"user_id": "auth0|1", "email": "ada@example.com", "email_verified": true, "app_metadata": {"a": 1}});
    let message =
        messages(&call("Create a User", Some(USERS), &json!({"email": "typed@example.com"}), &response))
            .remove(0);
    assert_eq!(message["traits"], json!({"email": "ada@example.com", "emailVerified": true}));
    assert_eq!(message["context"]["active"], json!(false));
}

#[test]
fn an_answer_about_somebody_else_gives_the_user_no_traits() {
    let response = json!({"user_id": "auth0|2", "email": "bo@example.com"});
    let call = call("Update a User", Some("/api/v2/users/auth0%7C1"), &json!({}), &response);
    let message = messages(&call).remove(0);
    assert_eq!((&message["userId"], &message["traits"]), (&json!("auth0|1"), &json!({})));
}

#[test]
fn a_call_that_names_no_user_makes_nothing() {
    for (description, path, response) in [
        ("Create a User", Some(USERS), json!({})),
        ("Create a User", Some(USERS), json!({"user_id": ""})),
        ("Create a User", Some(USERS), json!({"user_id": 7})),
        ("Create a User", None, json!(null)),
        ("Update a User", Some("/api/v2/clients/1"), json!({"user_id": "auth0|1"})),
        ("Update a User", Some("/api/v2/users/%20"), json!({"user_id": "auth0|1"})),
        ("Update a User", Some("/api/v2/users/%FF"), json!({"user_id": "auth0|1"})),
        ("Delete a User", Some("/"), json!({})),
        ("Delete a User", None, json!({"user_id": "auth0|1"})),
        ("Delete a User", Some("/api/v2/users"), json!({"user_id": "auth0|1"})),
    ] {
        let call = call(description, path, &json!({}), &response);
        let mapping = mapped(&call);
        assert!(mapping.messages.is_empty(), "{call}");
        assert!(matches!(mapping.ignored[..], [Ignored::Unusable(_)]), "{call}");
    }
}

#[test]
fn any_other_call_is_ignored_by_its_description() {
    for description in ["Create a Client", "Assign roles to a user", "create a user", "Create a User now"] {
        let mapping = mapped(&call(description, Some(USERS), &json!({}), &json!({"user_id": "auth0|1"})));
        assert_eq!(mapping.ignored, [Ignored::EventType(format!("sapi {description}"))]);
    }
    for blank in ["", " "] {
        let mapping = mapped(&call(blank, Some(USERS), &json!({}), &json!({"user_id": "auth0|1"})));
        assert_eq!(mapping.ignored, [Ignored::EventType("sapi".to_owned())]);
    }
}

#[test]
fn every_member_that_is_added_or_removed_has_separate_messages() {
    let path = Some("/api/v2/organizations/org_1/members");
    let body = json!({"members": ["auth0|1", "google-oauth2|2"]});
    for (description, expected) in [
        ("Add members to an organization", &["group", "track"][..]),
        ("Delete members from an organization", &["track"]),
    ] {
        let messages = messages(&call(description, path, &body, &json!({})));
        let wanted: Vec<_> = ["auth0|1", "google-oauth2|2"]
            .iter()
            .flat_map(|user| expected.iter().map(move |call| (*call, *user)))
            .collect();
        let found: Vec<_> = messages
            .iter()
            .map(|one| (one["type"].as_str().unwrap(), one["userId"].as_str().unwrap()))
            .collect();
        assert_eq!(found, wanted);
        let mut ids: Vec<_> = messages.iter().map(|message| message["messageId"].as_str().unwrap()).collect();
        ids.dedup();
        assert_eq!(ids.len(), wanted.len());
        for message in &messages {
            assert_eq!(message["context"]["groupId"], "org_1");
            assert_eq!(message.get("groupId").is_some(), message["type"] == "group");
            assert!(!message.to_string().contains("admin"), "{message}");
        }
    }
}

#[test]
fn members_that_cannot_be_used_do_not_affect_the_others() {
    let path = Some("/api/v2/organizations/org_1/members");
    let add = "Add members to an organization";
    let mixed = call(add, path, &json!({"members": ["auth0|1", 7, "", "auth0|2"]}), &json!({}));
    let mapping = mapped(&mixed);
    assert_eq!((mapping.messages.len(), mapping.ignored.len()), (4, 2));
    for body in [json!({}), json!({"members": []}), json!({"members": "auth0|1"}), json!([]), json!(null)] {
        let mapping = mapped(&call(add, path, &body, &json!({})));
        assert!(mapping.messages.is_empty() && matches!(mapping.ignored[..], [Ignored::Unusable(_)]));
    }
    let elsewhere = call(add, Some("/api/v2/organizations"), &json!({"members": ["auth0|1"]}), &json!({}));
    assert!(mapped(&elsewhere).messages.is_empty());
}
