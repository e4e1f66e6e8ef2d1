//! FusionAuth's events, starting from the smallest possible ones.

use identity::Config;
use serde_json::{Value, json};

use crate::support::{self, map, mapped, outline};

fn event(event_type: &str) -> Value {
    json!({"id": "e1", "type": event_type, "createInstant": 1_763_712_001_000_i64,
        "user": {"id": "u1", "email": "ada@example.com"}})
}

fn wrapped(event: &Value) -> Value {
    json!({"event": event})
}

#[test]
fn every_event_that_changes_traits_identifies_the_user() {
    for event_type in [
        "user.email.verified",
        "user.identity.update",
        "user.identity.verified",
        "user.registration.create",
        "user.registration.create.complete",
        "user.registration.update",
        "user.registration.update.complete",
        "user.registration.delete",
        "user.registration.delete.complete",
        "user.registration.verified",
        "user.reactivate",
        "user.deactivate",
        "user.password.update",
        "user.password.reset.success",
        "user.two-factor.method.add",
        "user.two-factor.method.remove",
    ] {
        let made = outline("fusionauth", &wrapped(&event(event_type)), &Config::new("d"));
        assert_eq!(made, [format!("identify u1 {event_type}")]);
    }
}

#[test]
fn the_event_decides_whether_a_user_is_active() {
    for (event_type, expected) in [("user.deactivate", false), ("user.reactivate", true)] {
        for active in [json!(null), json!(true), json!(false)] {
            let mut event = event(event_type);
            event["user"]["active"] = active;
            let traits = &mapped("fusionauth", &wrapped(&event), &Config::new("d")).0[0]["traits"];
            assert_eq!(traits["active"], expected, "{event}");
        }
    }
}

#[test]
fn a_changed_registration_is_not_compared_with_the_user() {
    let mut event = event("user.registration.update.complete");
    event["original"] = event["user"].clone();
    assert_eq!(outline("fusionauth", &wrapped(&event), &Config::new("d")).len(), 1);
    event["type"] = json!("user.update.complete");
    assert_eq!(outline("fusionauth", &wrapped(&event), &Config::new("d")), [""; 0]);
}

#[test]
fn an_import_identifies_each_user_and_a_repeated_one_makes_the_same_messages() {
    let users = json!([{"id": "u1", "email": "ada@example.com"}, {"id": "u2", "tenantId": "t2"}]);
    let import = |id: Value| json!({"event": {"id": id, "type": "user.bulk.create", "users": users}});
    let ids = |body: &Value| -> Vec<String> {
        let mapping = map("fusionauth", body.to_string(), &Config::new("d")).unwrap();
        support::ids(&mapping).into_iter().map(str::to_owned).collect()
    };
    for id in [json!("e1"), json!(null)] {
        let body = import(id);
        let (messages, ignored) = mapped("fusionauth", &body, &Config::new("d"));
        let made: Vec<_> = messages.iter().map(|one| (&one["userId"], &one["context"])).collect();
        let inactive = json!({"active": false});
        assert_eq!(made, [(&json!("u1"), &inactive), (&json!("u2"), &inactive)]);
        assert_eq!((&messages[0]["traits"], ignored), (&json!({"email": "ada@example.com"}), 0));
        let first = ids(&body);
        assert!(first[0] != first[1] && first == ids(&body), "{first:?}");
    }
    assert_ne!(ids(&import(json!("e1"))), ids(&import(json!("e2"))));
}

#[test]
fn an_imported_user_that_cannot_be_used_does_not_affect_the_others() {
    for (users, expected) in [
        (json!([null, 7, {}, {"id": ""}, {"id": 7}, {"id": "u1"}]), (1, 5)),
        (json!([]), (0, 1)),
        (json!(null), (0, 1)),
        (json!({"id": "u1"}), (0, 1)),
    ] {
        let body = json!({"event": {"id": "e1", "type": "user.bulk.create", "users": users}});
        let (messages, ignored) = mapped("fusionauth", &body, &Config::new("d"));
        assert_eq!((messages.len(), ignored), expected, "{body}");
    }
}

#[test]
fn an_event_that_may_fail_the_users_action_is_never_refused() {
    for event_type in [
        "user.email.verified",
        "user.identity.update",
        "user.registration.create",
        "user.reactivate",
        "user.bulk.create",
    ] {
        let body = json!({"event": {"id": "e1", "type": event_type}});
        assert_eq!(mapped("fusionauth", &body, &Config::new("d")), (vec![], 1), "{event_type}");
    }
    let body = json!({"event": {"id": "e1", "type": "user.registration.create.complete"}});
    assert!(map("fusionauth", body.to_string(), &Config::new("d")).is_err());
}

#[test]
fn an_empty_value_deletes_no_trait() {
    let mut event = event("user.update.complete");
    event["original"] = json!({"id": "u1", "registrations": [{"id": "r1"}], "preferredLanguages": ["en"]});
    for (name, empty) in [
        ("registrations", json!([])),
        ("memberships", json!([])),
        ("preferredLanguages", json!([])),
        ("twoFactor", json!({"methods": []})),
        ("data", json!({})),
        ("firstName", json!("")),
    ] {
        event["user"][name] = empty;
    }
    // A member that is a credential is removed, which leaves an empty object.
    let mut hidden = event.clone();
    hidden["user"]["data"] = json!({"password": "hush"});
    for event in [event, hidden] {
        let (messages, _) = mapped("fusionauth", &wrapped(&event), &Config::new("d"));
        assert_eq!(messages[0]["traits"], json!({"email": "ada@example.com"}), "{event}");
    }
}

#[test]
fn a_groups_events_identify_nobody() {
    for event_type in
        ["group.create.complete", "group.member.add", "group.member.add.complete", "group.member.remove"]
    {
        let mut event = event(event_type);
        event["members"] = json!([{"id": "m1", "userId": "u1"}]);
        event["group"] = json!({"id": "g1"});
        assert_eq!(mapped("fusionauth", &wrapped(&event), &Config::new("d")), (vec![], 1), "{event_type}");
    }
}
