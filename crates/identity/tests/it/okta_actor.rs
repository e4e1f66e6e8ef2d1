//! Okta's events name the person who acted and the person who was affected. Often these are two people.

use identity::Config;
use serde_json::json;

use crate::{
    okta::{body, event, user},
    support::{mapped, outline, segment_naming, with_mapping},
};

/// Every type with a rule that affects a user who did not act.
const DONE_TO: [&str; 6] = [
    "user.lifecycle.create",
    "user.lifecycle.activate",
    "user.account.update_profile",
    "user.lifecycle.delete.initiated",
    "group.user_membership.add",
    "group.user_membership.remove",
];

#[test]
fn the_actor_is_never_taken_for_the_affected_user() {
    let group = json!({"id": "g1", "type": "UserGroup", "displayName": "Editors"});
    let app_user = json!({"id": "0ua1", "type": "AppUser", "alternateId": "u1@example.com"});
    for event_type in DONE_TO {
        for target in [
            json!(null),
            json!([]),
            json!({}),
            json!("null"),
            json!([null, 7, {}]),
            json!([group.clone()]),
            json!([app_user.clone(), group.clone()]),
            json!([{"id": "u1"}, {"id": "u1", "type": null}, {"type": "User"}]),
            json!([user("u1"), user("u2"), group.clone()]),
        ] {
            let mut event = event(event_type, "SUCCESS");
            event["target"] = target;
            let body = body(&[event]);
            assert_eq!(mapped("okta", &body, &Config::new("d")), (vec![], 1), "{body}");
        }
        let mut event = event(event_type, "SUCCESS");
        event.as_object_mut().unwrap().remove("target");
        assert_eq!(mapped("okta", &body(&[event]), &Config::new("d")), (vec![], 1), "{event_type}");
    }
}

#[test]
fn a_type_is_read_in_any_letter_case() {
    for spelling in ["USER", "user", "User", " User"] {
        let mut event = event("user.lifecycle.delete.initiated", "SUCCESS");
        event["target"][1]["type"] = json!(spelling);
        assert_eq!(outline("okta", &body(&[event]), &Config::new("d")), ["delete u1"], "{spelling}");
    }
    let mut event = event("user.session.start", "SUCCESS");
    event["actor"]["type"] = json!("USER");
    assert_eq!(outline("okta", &body(&[event]), &segment_naming()), ["track u1 Signed In"]);
}

#[test]
fn the_same_user_twice_is_one_user() {
    let mut event = event("group.user_membership.add", "SUCCESS");
    event["target"].as_array_mut().unwrap().push(user("u1"));
    let expected = ["group u1 in g1", "track u1 Account Added User"];
    assert_eq!(outline("okta", &body(&[event]), &segment_naming()), expected);
}

#[test]
fn with_several_groups_none_is_chosen() {
    let mut event = event("group.user_membership.add", "SUCCESS");
    event["target"].as_array_mut().unwrap().push(json!({"id": "g2", "type": "UserGroup"}));
    let (messages, ignored) = mapped("okta", &body(&[event]), &Config::new("d"));
    assert_eq!((messages.len(), ignored), (1, 1));
    assert_eq!((&messages[0]["type"], messages[0]["context"].get("groupId")), (&json!("track"), None));
}

#[test]
fn the_actor_is_the_user_only_for_actions_on_themselves() {
    let own = "[okta.on]\n'EVENT'.track = {}\n";
    for (event_type, is_own) in [
        ("user.session.start", true),
        ("user.session.end", true),
        ("user.session.access_admin_app", true),
        ("user.device_session.start", true),
        ("user.authentication.auth", true),
        ("user.authentication.sso", true),
        ("user.authentication.auth_via_mfa", true),
        ("user.authentication.auth_via_social", true),
        ("user.authentication.universal_logout", false),
        ("user.session.clear", false),
        ("user.session.impersonation.initiate", false),
        ("user.account.update_password", false),
        ("user.account.unlock", false),
        ("user.mfa.factor.reset_all", false),
        ("application.user_membership.add", false),
    ] {
        let config = with_mapping(&own.replace("EVENT", event_type));
        let mut event = event(event_type, "SUCCESS");
        event["actor"] = user("actor");
        event["target"] = json!(null);
        let expected = if is_own { vec![format!("track actor {event_type}")] } else { vec![] };
        assert_eq!(outline("okta", &body(&[event]), &config), expected, "{event_type}");
    }
}
