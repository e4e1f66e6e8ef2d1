//! Clerk's events, starting from the smallest possible ones.

use identity::{Config, HashKey};
use serde_json::{Value, json};

use crate::support::{hashed, map, mapped, outline, segment_naming, with_mapping};

fn event(event_type: &str) -> Value {
    let data = match event_type.split('.').next().unwrap() {
        "user" => json!({"id": "u1"}),
        "organization" if event_type.ends_with("deleted") => json!({"id": "o1", "deleted": true}),
        "organization" => json!({"id": "o1", "created_by": "u1"}),
        "organizationMembership" => {
            json!({"organization": {"id": "o1"}, "public_user_data": {"user_id": "u1"}})
        }
        _ => json!({"id": "x1", "user_id": "u1"}),
    };
    json!({"type": event_type, "object": "event", "timestamp": 1_763_712_181_000_i64, "data": data})
}

#[test]
fn every_type_makes_the_mappings_messages() {
    for (event_type, provider, segment) in [
        (
            "user.created",
            vec!["identify u1", "track u1 user.created"],
            vec!["identify u1", "track u1 Signed Up"],
        ),
        ("user.updated", vec!["identify u1"], vec!["identify u1"]),
        ("user.deleted", vec!["delete u1"], vec!["delete u1"]),
        ("session.created", vec!["track u1 session.created"], vec!["track u1 Signed In"]),
        ("session.ended", vec!["track u1 session.ended"], vec!["track u1 Signed Out"]),
        ("session.removed", vec!["track u1 session.removed"], vec!["track u1 Signed Out"]),
        ("session.revoked", vec!["track u1 session.revoked"], vec!["track u1 Signed Out"]),
        (
            "organization.created",
            vec!["group anonymous o1 in o1", "track u1 organization.created"],
            vec!["group anonymous o1 in o1", "track u1 Account Created"],
        ),
        ("organization.updated", vec!["group anonymous o1 in o1"], vec!["group anonymous o1 in o1"]),
        (
            "organization.deleted",
            vec!["track anonymous o1 organization.deleted"],
            vec!["track anonymous o1 Account Deleted"],
        ),
        (
            "organizationMembership.created",
            vec!["group u1 in o1", "track u1 organizationMembership.created"],
            vec!["group u1 in o1", "track u1 Account Added User"],
        ),
        (
            "organizationMembership.deleted",
            vec!["track u1 organizationMembership.deleted"],
            vec!["track u1 Account Removed User"],
        ),
        ("session.pending", vec![], vec![]),
        ("organizationMembership.updated", vec![], vec![]),
        ("organizationInvitation.created", vec![], vec![]),
        ("organizationInvitation.accepted", vec![], vec![]),
        ("organizationInvitation.revoked", vec![], vec![]),
        ("organizationDomain.created", vec![], vec![]),
        ("email.created", vec![], vec![]),
        ("sms.created", vec![], vec![]),
        ("subscription.created", vec![], vec![]),
        ("USER.CREATED", vec![], vec![]),
    ] {
        assert_eq!(outline("clerk", &event(event_type), &Config::new("d")), provider, "{event_type}");
        assert_eq!(outline("clerk", &event(event_type), &segment_naming()), segment, "{event_type}");
    }
}

#[test]
fn the_primary_addresses_are_looked_up() {
    let emails = json!([7, {"id": "a", "email_address": "a@example.com"}, {"id": "b", "email_address": "b@example.com"}]);
    for (primary, expected) in [
        (json!("b"), json!("b@example.com")),
        (json!("c"), json!(null)),
        (json!(null), json!(null)),
        (json!(7), json!(null)),
    ] {
        let mut event = event("user.updated");
        event["data"]["email_addresses"] = emails.clone();
        event["data"]["primary_email_address_id"] = primary.clone();
        event["data"]["phone_numbers"] = json!([{"id": "b", "phone_number": "+4520123459"}]);
        event["data"]["primary_phone_number_id"] = json!("b");
        let (messages, _) = mapped("clerk", &event, &Config::new("d"));
        let traits = &messages[0]["traits"];
        assert_eq!(
            (traits.get("email").unwrap_or(&Value::Null), &traits["phone"]),
            (&expected, &json!("+4520123459")),
            "{primary}"
        );
    }
}

#[test]
fn without_a_primary_address_the_only_one_counts_and_of_several_the_only_verified_one() {
    let address = |address: &str, status: &str| json!({"id": address, "email_address": address, "phone_number": address, "verification": {"status": status}});
    for (addresses, expected) in [
        (json!([address("a", "unverified")]), json!("a")),
        (json!([address("a", "unverified"), address("b", "verified")]), json!("b")),
        (json!([address("a", "unverified"), address("b", "unverified")]), json!(null)),
        (json!([address("a", "verified"), address("b", "verified")]), json!(null)),
        (json!([7, address("a", "verified"), {}]), json!("a")),
        (json!([{"email_address": "a", "phone_number": "a"}]), json!("a")),
        (json!([]), json!(null)),
        (json!({}), json!(null)),
    ] {
        for primary in [json!(null), json!(""), json!(7), json!("gone")] {
            let mut event = event("user.created");
            event["data"]["email_addresses"] = addresses.clone();
            event["data"]["phone_numbers"] = addresses.clone();
            event["data"]["primary_email_address_id"] = primary.clone();
            event["data"]["primary_phone_number_id"] = primary;
            let traits = &mapped("clerk", &event, &Config::new("d")).0[0]["traits"];
            assert_eq!((&traits["email"], &traits["phone"]), (&expected, &expected), "{event}");
        }
    }
}

#[test]
fn an_impersonator_does_not_log_in_as_the_user() {
    for event_type in ["session.created", "session.ended", "session.removed", "session.revoked"] {
        let mut event = event(event_type);
        event["data"]["actor"] = json!({"sub": "user_admin"});
        assert_eq!(mapped("clerk", &event, &Config::new("d")), (vec![], 1), "{event_type}");
        event["data"]["actor"] = json!(null);
        assert_eq!(mapped("clerk", &event, &Config::new("d")).0.len(), 1, "{event_type}");
    }
}

#[test]
fn a_device_is_the_persons_or_left_out() {
    let browser = json!({"client_ip": "203.0.113.7", "user_agent": "Mozilla/5.0 (X11)"});
    let described = json!({"ip": "203.0.113.7", "userAgent": "Mozilla/5.0 (X11)"});
    for (event_type, request, expected) in [
        ("user.created", browser.clone(), described.clone()),
        ("user.updated", browser.clone(), json!({})),
        ("session.created", browser.clone(), described),
        ("session.revoked", browser.clone(), json!({})),
        ("user.deleted", browser.clone(), json!({})),
        ("organization.created", browser.clone(), json!({})),
        ("organization.updated", browser, json!({})),
        ("user.created", json!({"client_ip": "", "user_agent": ""}), json!({})),
        ("user.created", json!({"client_ip": "0.0.0.0", "user_agent": "A/1"}), json!({"userAgent": "A/1"})),
        (
            "user.updated",
            json!({"client_ip": "192.0.2.1", "user_agent": "@clerk/backend@2.1"}),
            json!({"active": false}),
        ),
        ("user.updated", json!("x"), json!({})),
    ] {
        let mut event = event(event_type);
        event["event_attributes"] = json!({"http_request": request});
        assert_eq!(mapped("clerk", &event, &Config::new("d")).0[0]["context"], expected, "{event}");
    }
}

#[test]
fn the_creator_of_an_organization_is_only_in_the_call_about_its_creation() {
    for event_type in ["organization.created", "organization.updated", "organization.deleted"] {
        let mut event = event(event_type);
        event["data"]["created_by"] = json!("maker");
        let made = ["track maker Account Created"];
        let outline = outline("clerk", &event, &segment_naming());
        let of_maker: Vec<_> = outline.iter().filter(|one| one.contains("maker")).collect();
        assert_eq!(of_maker, if event_type.ends_with("created") { &made[..] } else { &[] }, "{event_type}");
    }
}

#[test]
fn a_membership_without_its_user_puts_nobody_into_the_group() {
    for user in [json!(null), json!({}), json!([]), json!({"user_id": null}), json!({"user_id": 7})] {
        let mut event = event("organizationMembership.created");
        event["data"]["public_user_data"] = user;
        event["data"]["organization"]["created_by"] = json!("maker");
        event["data"]["user_id"] = json!("maker");
        assert!(map("clerk", event.to_string(), &Config::new("d")).is_err(), "{event}");
    }
}

#[test]
fn an_organization_that_no_user_made_stands_for_itself() {
    let mut event = event("organization.created");
    event["data"]["created_by"] = json!(null);
    let expected = ["group anonymous o1 in o1", "track anonymous o1 Account Created"];
    assert_eq!(outline("clerk", &event, &segment_naming()), expected);
    let (messages, _) = mapped("clerk", &event, &Config::new("d"));
    assert_eq!(messages[1]["context"], json!({"groupId": "o1"}));
}

#[test]
fn public_metadata_are_sent_where_a_rule_names_them_and_other_metadata_are_not_in_the_profile() {
    let mut event = event("user.created");
    event["data"]["public_metadata"] = json!({"plan": "team", "apiKey": "hush"});
    event["data"]["private_metadata"] = json!({"note": "hush"});
    event["data"]["unsafe_metadata"] = json!({"note": "hush"});
    assert_eq!(mapped("clerk", &event, &Config::new("d")).0[0]["traits"], json!({}));
    let own = "[clerk.on]\n\"user.created\".identify = { traits = { plan = 'profile.publicMetadata.plan', all = 'profile.publicMetadata', note = 'profile.privateMetadata' } }";
    let expected = json!({"plan": "team", "all": {"plan": "team"}});
    assert_eq!(mapped("clerk", &event, &with_mapping(own)).0[0]["traits"], expected);
}

#[test]
fn an_event_without_a_user_is_refused_with_the_path() {
    for (event_type, data, expected) in [
        ("user.created", json!({}), "data.id is missing"),
        ("user.created", json!("x"), "data must be an object"),
        ("session.created", json!({"user_id": 7}), "data.user_id must be a string"),
        ("organization.updated", json!({"name": "x"}), "data.id is missing"),
        ("organizationMembership.created", json!({}), "data.public_user_data must be an object"),
        (
            "organizationMembership.created",
            json!({"public_user_data": {}}),
            "data.public_user_data.user_id is missing",
        ),
    ] {
        let body = json!({"type": event_type, "data": data}).to_string();
        let error = map("clerk", &body, &Config::new("d")).unwrap_err();
        assert_eq!(error.to_string(), expected, "{body}");
    }
}

#[test]
fn a_hashed_group_id_is_hashed_everywhere() {
    let config = with_mapping("fields.groupId = 'hash'");
    let key = HashKey::new("key");
    let body = event("organizationMembership.created").to_string();
    let mapping = hashed("clerk", &body, &config, Some(&key)).unwrap();
    let [group, track] = &mapping.messages[..] else { panic!("two messages") };
    let (hash, context) = (group.message.get("groupId").unwrap(), track.message.get("context").unwrap());
    assert!(hash.as_str().unwrap().len() == 64 && &context["groupId"] == hash, "{hash} {context}");
    let mut nobody = event("organization.deleted");
    nobody["data"].as_object_mut().unwrap().shift_remove("created_by");
    let mapping = hashed("clerk", nobody.to_string(), &config, Some(&key)).unwrap();
    let message = &mapping.messages[0].message;
    let id = message.get("anonymousId").and_then(Value::as_str).unwrap();
    assert!(id.len() == 64 && message.as_json().matches(id).count() == 2, "{}", message.as_json());
}
