//! Okta's events, starting from the smallest possible ones.

use identity::Config;
use serde_json::{Value, json};

use crate::support::{mapped, outline, segment_naming};

pub fn user(id: &str) -> Value {
    json!({"id": id, "type": "User", "alternateId": format!("{id}@example.com"), "displayName": id})
}

/// Returns an action of an administrator on a user, or an action of a user.
pub fn event(event_type: &str, result: &str) -> Value {
    let by_admin =
        ["user.lifecycle", "user.account", "group."].iter().any(|start| event_type.starts_with(start));
    let (actor, target) = match by_admin {
        true => ("admin", json!([{"id": "g1", "type": "UserGroup", "displayName": "Editors"}, user("u1")])),
        false => ("u1", json!([{"id": "a1", "type": "AppInstance", "displayName": "Shop"}])),
    };
    json!({"uuid": "e1", "eventType": event_type, "actor": user(actor), "target": target,
        "published": "2025-11-21T08:03:01.301Z", "outcome": {"result": result}})
}

pub fn body(events: &[Value]) -> Value {
    json!({"eventType": "com.okta.event_hook", "eventId": "h1", "data": {"events": events}})
}

#[test]
fn every_type_makes_the_mappings_messages() {
    for (event_type, provider, segment, failed) in [
        ("user.lifecycle.create", vec!["identify u1"], vec!["identify u1"], vec![]),
        ("user.lifecycle.activate", vec!["identify u1"], vec!["identify u1"], vec![]),
        ("user.account.update_profile", vec!["identify u1"], vec!["identify u1"], vec![]),
        ("user.lifecycle.delete.initiated", vec!["delete u1"], vec!["delete u1"], vec![]),
        (
            "user.session.start",
            vec!["track u1 user.session.start"],
            vec!["track u1 Signed In"],
            vec!["track u1 Login Failed"],
        ),
        ("user.session.end", vec!["track u1 user.session.end"], vec!["track u1 Signed Out"], vec![]),
        (
            "group.user_membership.add",
            vec!["group u1 in g1", "track u1 group.user_membership.add"],
            vec!["group u1 in g1", "track u1 Account Added User"],
            vec![],
        ),
        (
            "group.user_membership.remove",
            vec!["track u1 group.user_membership.remove"],
            vec!["track u1 Account Removed User"],
            vec![],
        ),
        ("user.lifecycle.deactivate", vec![], vec![], vec![]),
        ("user.lifecycle.suspend", vec![], vec![], vec![]),
        ("user.lifecycle.unsuspend", vec![], vec![], vec![]),
        ("user.lifecycle.reactivate", vec![], vec![], vec![]),
        ("user.account.update_password", vec![], vec![], vec![]),
        ("user.account.reset_password", vec![], vec![], vec![]),
        ("user.account.lock", vec![], vec![], vec![]),
        ("user.account.unlock", vec![], vec![], vec![]),
        ("user.authentication.sso", vec![], vec![], vec![]),
        ("application.user_membership.add", vec![], vec![], vec![]),
        ("application.user_membership.remove", vec![], vec![], vec![]),
        ("application.user_membership.update", vec![], vec![], vec![]),
        ("user.mfa.factor.activate", vec![], vec![], vec![]),
        ("user.mfa.factor.deactivate", vec![], vec![], vec![]),
        ("user.mfa.factor.reset_all", vec![], vec![], vec![]),
    ] {
        let success = body(&[event(event_type, "SUCCESS")]);
        assert_eq!(outline("okta", &success, &Config::new("d")), provider, "{event_type}");
        assert_eq!(outline("okta", &success, &segment_naming()), segment, "{event_type}");
        let failure = body(&[event(event_type, "FAILURE")]);
        assert_eq!(outline("okta", &failure, &segment_naming()), failed, "{event_type}");
        let unknown = body(&[event(event_type, "unknown")]);
        assert_eq!(outline("okta", &unknown, &segment_naming()), [""; 0], "{event_type}");
    }
}

#[test]
fn an_administrators_device_never_becomes_the_persons() {
    let client = json!({"ipAddress": "203.0.113.7", "device": "Unknown",
        "userAgent": {"rawUserAgent": "Mozilla/5.0 (X11)", "os": "Unknown"},
        "geographicalContext": {"city": "null", "country": "France"}});
    let described =
        json!({"ip": "203.0.113.7", "userAgent": "Mozilla/5.0 (X11)", "location": {"country": "France"}});
    let inactive = json!({"active": false});
    for (event_type, result, actor, expected) in [
        ("user.session.start", "SUCCESS", user("u1"), &described),
        ("user.account.update_profile", "SUCCESS", user("u1"), &described),
        ("user.account.update_profile", "SUCCESS", user("admin"), &inactive),
        ("user.account.update_profile", "SUCCESS", json!({"id": "u1", "type": "SystemPrincipal"}), &inactive),
        ("user.account.update_profile", "SUCCESS", json!(null), &inactive),
        ("user.session.start", "FAILURE", user("u1"), &inactive),
    ] {
        let mut event = event(event_type, result);
        event["client"] = client.clone();
        event["actor"] = actor;
        let (messages, _) = mapped("okta", &body(&[event.clone()]), &Config::new("d"));
        assert_eq!(&messages[0]["context"], expected, "{event}");
    }
}

#[test]
fn a_login_is_an_address_only_when_it_looks_like_one() {
    for (login, expected) in [
        (
            json!("u1@example.com"),
            json!({"email": "u1@example.com", "name": "u1", "username": "u1@example.com"}),
        ),
        (json!("u1"), json!({"name": "u1", "username": "u1"})),
        (json!("u1@corp"), json!({"name": "u1", "username": "u1@corp"})),
        (json!("a@b@example.com"), json!({"name": "u1", "username": "a@b@example.com"})),
        (json!("unknown"), json!({"name": "u1"})),
        (json!("null"), json!({"name": "u1"})),
        (json!(7), json!({"name": "u1"})),
    ] {
        let mut event = event("user.lifecycle.create", "SUCCESS");
        event["target"][1]["alternateId"] = login.clone();
        assert_eq!(mapped("okta", &body(&[event]), &Config::new("d")).0[0]["traits"], expected, "{login}");
    }
}

#[test]
fn one_event_that_cannot_be_used_does_not_affect_the_others() {
    let good = event("user.session.end", "SUCCESS");
    let mut bad = vec![json!(null), json!("x"), json!({}), json!({"uuid": "e2"})];
    for (name, value) in
        [("uuid", json!(null)), ("eventType", json!(7)), ("actor", json!({"id": "unknown", "type": "User"}))]
    {
        let mut event = good.clone();
        event[name] = value;
        bad.push(event);
    }
    for bad in bad {
        let body = body(&[bad.clone(), good.clone()]);
        assert_eq!(mapped("okta", &body, &Config::new("d")).1, 1, "{bad}");
        assert_eq!(outline("okta", &body, &segment_naming()), ["track u1 Signed Out"], "{bad}");
    }
}
