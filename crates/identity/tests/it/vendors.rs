//! The built-in files, starting from the smallest possible events: every type that has a rule, and some of the
//! others.

use identity::Config;
use serde_json::{Value, json};

use crate::support::{map, mapped, outline, segment_naming};

/// Checks the messages of each event with the provider's names and with Segment's.
fn check(provider: &str, event: impl Fn(&str) -> Value, table: &[(&str, &[&str], &[&str])]) {
    for (event_type, with_provider, with_segment) in table {
        let event = event(event_type);
        assert_eq!(outline(provider, &event, &Config::new("d")), *with_provider, "{event_type} {event}");
        assert_eq!(outline(provider, &event, &segment_naming()), *with_segment, "{event_type} {event}");
    }
}

#[test]
fn every_type_of_workos_makes_its_messages() {
    let event = |event_type: &str| {
        let data = match event_type.split('.').next().unwrap() {
            "user" => json!({"id": "u1"}),
            "organization" => json!({"id": "o1", "name": "Acme"}),
            _ => json!({"id": "x1", "user_id": "u1", "organization_id": "o1"}),
        };
        json!({"event": event_type, "id": "e1", "data": data, "created_at": "2026-11-21T07:00:00.000Z"})
    };
    check(
        "workos",
        event,
        &[
            (
                "user.created",
                &["identify u1", "track u1 user.created"],
                &["identify u1", "track u1 Signed Up"],
            ),
            ("user.updated", &["identify u1"], &["identify u1"]),
            ("user.deleted", &["delete u1"], &["delete u1"]),
            ("session.created", &["track u1 session.created"], &["track u1 Signed In"]),
            ("session.revoked", &["track u1 session.revoked"], &["track u1 Signed Out"]),
            ("authentication.email_verification_succeeded", &["identify u1"], &["identify u1"]),
            (
                "authentication.password_failed",
                &["track u1 authentication.password_failed"],
                &["track u1 Login Failed"],
            ),
            (
                "authentication.oauth_failed",
                &["track u1 authentication.oauth_failed"],
                &["track u1 Login Failed"],
            ),
            (
                "authentication.sso_failed",
                &["track u1 authentication.sso_failed"],
                &["track u1 Login Failed"],
            ),
            (
                "authentication.magic_auth_failed",
                &["track u1 authentication.magic_auth_failed"],
                &["track u1 Login Failed"],
            ),
            (
                "authentication.passkey_failed",
                &["track u1 authentication.passkey_failed"],
                &["track u1 Login Failed"],
            ),
            (
                "organization.created",
                &["group anonymous o1 in o1", "track anonymous o1 organization.created"],
                &["group anonymous o1 in o1", "track anonymous o1 Account Created"],
            ),
            ("organization.updated", &["group anonymous o1 in o1"], &["group anonymous o1 in o1"]),
            (
                "organization.deleted",
                &["track anonymous o1 organization.deleted"],
                &["track anonymous o1 Account Deleted"],
            ),
            (
                "organization_membership.created",
                &["group u1 in o1", "track u1 organization_membership.created"],
                &["group u1 in o1", "track u1 Account Added User"],
            ),
            (
                "organization_membership.deleted",
                &["track u1 organization_membership.deleted"],
                &["track u1 Account Removed User"],
            ),
            // Each login has one too, and so has a login whose second factor fails.
            ("authentication.password_succeeded", &[], &[]),
            ("organization_domain.verified", &[], &[]),
            ("dsync.user.created", &[], &[]),
            ("password_reset.succeeded", &[], &[]),
        ],
    );
    let membership = |event: &str, status: &str, before: &str| {
        let body = json!({"event": event, "id": "e", "data": {"user_id": "u1", "organization_id": "o1", "status": status},
            "context": {"previous_attributes": {"status": before}}});
        outline("workos", &body, &segment_naming())
    };
    let joined = ["group u1 in o1", "track u1 Account Added User"];
    assert!(membership("organization_membership.created", "pending", "").is_empty(), "an invitation");
    assert_eq!(membership("organization_membership.updated", "active", "pending"), joined);
    assert!(membership("organization_membership.updated", "active", "inactive").is_empty());
    let unknown = json!({"event": "authentication.password_failed", "id": "e", "data": {"user_id": null, "email": "x@example.com"}});
    assert_eq!(map("workos", unknown.to_string(), &Config::new("d")).unwrap().messages.len(), 0);
}

#[test]
fn every_type_of_keycloak_makes_its_messages() {
    let event = |event_type: &str| {
        let details = match event_type {
            "admin.USER-CREATE" | "admin.USER-UPDATE" => json!({"userId": "u1"}),
            _ => json!({}),
        };
        let (user, path) = match event_type.starts_with("admin.") {
            true => ("administrator", "users/u1"),
            false => ("u1", ""),
        };
        json!({"uid": "e1", "type": event_type, "time": 1_795_244_400_000_i64, "authDetails": {"userId": user}, "details": details, "resourcePath": path})
    };
    check(
        "keycloak",
        event,
        &[
            (
                "access.REGISTER",
                &["identify u1", "track u1 access.REGISTER"],
                &["identify u1", "track u1 Signed Up"],
            ),
            ("access.LOGIN", &["track u1 access.LOGIN"], &["track u1 Signed In"]),
            ("access.LOGOUT", &["track u1 access.LOGOUT"], &["track u1 Signed Out"]),
            ("access.LOGIN_ERROR", &["track u1 access.LOGIN_ERROR"], &["track u1 Login Failed"]),
            ("access.UPDATE_PROFILE", &["identify u1"], &["identify u1"]),
            ("access.UPDATE_EMAIL", &["identify u1"], &["identify u1"]),
            ("access.VERIFY_EMAIL", &["identify u1"], &["identify u1"]),
            ("access.DELETE_ACCOUNT", &["delete u1"], &["delete u1"]),
            ("admin.USER-CREATE", &["identify u1"], &["identify u1"]),
            ("admin.USER-UPDATE", &["identify u1"], &["identify u1"]),
            ("admin.USER-DELETE", &["delete u1"], &["delete u1"]),
            ("admin.USER-ACTION", &[], &[]),
            ("admin.CLIENT-CREATE", &[], &[]),
            ("access.CODE_TO_TOKEN", &[], &[]),
            ("access.REFRESH_TOKEN", &[], &[]),
            ("shop.ORDERED", &[], &[]),
        ],
    );
}

#[test]
fn an_administrator_of_keycloak_is_neither_the_user_nor_the_device() {
    let body = json!({
        "uid": "e1", "type": "admin.USER-UPDATE", "time": 1_795_244_400_000_i64,
        "authDetails": {"userId": "boss", "username": "boss", "ipAddress": "198.51.100.4"},
        "resourcePath": "users/f:1f2e:ada",
        "representation": "{\"email\":\"ada@example.com\",\"enabled\":false}",
        "details": {},
    });
    let (messages, _) = mapped("keycloak", &body, &Config::new("d"));
    assert_eq!(messages[0]["userId"], "f:1f2e:ada");
    assert_eq!(messages[0]["context"], json!({"active": false}));
    let traits = &messages[0]["traits"];
    assert_eq!((&traits["email"], &traits["active"]), (&json!("ada@example.com"), &json!(false)));
    assert!(!messages[0].to_string().contains("boss"), "{}", messages[0]);
}

/// Keycloak reports a change of something that belongs to a user with the same types.
#[test]
fn a_link_to_a_social_account_is_no_user_of_keycloak() {
    for event_type in ["admin.USER-CREATE", "admin.USER-UPDATE", "admin.USER-DELETE"] {
        for details in [json!({}), json!({"userId": "u1"})] {
            let body = json!({
                "uid": "e1", "type": event_type, "time": 1_795_244_400_000_i64,
                "authDetails": {"userId": "boss"}, "details": details,
                "resourcePath": "users/u1/federated-identity/google", "representation": "{\"userName\":\"x\"}",
            });
            assert!(outline("keycloak", &body, &Config::new("d")).is_empty(), "{body}");
        }
    }
}

#[test]
fn a_user_whom_an_administrator_makes_has_not_signed_up() {
    let kinde =
        json!({"type": "user.created", "event_id": "e", "source": "admin", "data": {"user": {"id": "u1"}}});
    let workos = json!({"event": "user.created", "id": "e", "data": {"id": "u1"}, "context": {"actor": {"source": "dashboard"}}});
    let hook = json!({"metadata": {"uuid": "e", "name": "after-user-created", "ip_address": "198.51.100.4"}, "user": {"id": "u1", "invited_at": "2026-11-21T07:00:00Z"}});
    let row = json!({"schema": "auth", "table": "users", "type": "INSERT", "record": {"id": "u1", "invited_at": "2026-11-21T07:00:00Z"}});
    for (provider, body) in
        [("kinde", &kinde), ("workos", &workos), ("supabase-hook", &hook), ("supabase", &row)]
    {
        let (messages, _) = mapped(provider, body, &Config::new("d"));
        assert_eq!(messages.len(), 1, "{provider}");
        assert_eq!(messages[0]["type"], "identify");
        assert!(!messages[0].to_string().contains("198.51.100.4"), "{}", messages[0]);
    }
}

#[test]
fn a_part_of_a_user_of_logto_is_not_taken_for_the_user() {
    for route in ["/users/:userId/custom-data", "/users/:userId/profile"] {
        let body = json!({"event": "User.Data.Updated", "path": "/api/users/u1/x", "matchedRoute": route, "params": {"userId": "u1"}, "data": {"id": "cart-7", "name": "My cart"}});
        assert!(outline("logto", &body, &Config::new("d")).is_empty(), "{route}");
    }
}

#[test]
fn every_type_of_kinde_makes_its_messages() {
    let event = |event_type: &str| {
        let data = match event_type.split('.').next().unwrap() {
            "organization" => json!({"organization": {"code": "o1", "name": "Acme"}}),
            "subscriber" => json!({"subscriber": {"user_id": "u1"}}),
            _ => json!({"user": {"id": "u1"}}),
        };
        json!({"type": event_type, "event_id": "e1", "timestamp": "2026-11-21T18:00:00.1+11:00", "source": "user", "data": data})
    };
    check(
        "kinde",
        event,
        &[
            (
                "user.created",
                &["identify u1", "track u1 user.created"],
                &["identify u1", "track u1 Signed Up"],
            ),
            ("user.updated", &["identify u1"], &["identify u1"]),
            ("user.deleted", &["delete u1"], &["delete u1"]),
            ("user.authenticated", &["track u1 user.authenticated"], &["track u1 Signed In"]),
            (
                "user.authentication_failed",
                &["track u1 user.authentication_failed"],
                &["track u1 Login Failed"],
            ),
            (
                "organization.created",
                &["group anonymous o1 in o1", "track anonymous o1 organization.created"],
                &["group anonymous o1 in o1", "track anonymous o1 Account Created"],
            ),
            ("organization.updated", &["group anonymous o1 in o1"], &["group anonymous o1 in o1"]),
            (
                "organization.deleted",
                &["track anonymous o1 organization.deleted"],
                &["track anonymous o1 Account Deleted"],
            ),
            ("subscriber.created", &[], &[]),
            ("role.created", &[], &[]),
        ],
    );
}

#[test]
fn every_type_of_stytch_makes_its_messages() {
    let event = |event_type: &str| {
        let (object, action) = event_type.split_once('.').unwrap();
        let member = json!({"member_id": "x1", "organization_id": "o1"});
        json!({"event_id": "e1", "object_type": object, "action": action, "source": "DIRECT", "id": "x1",
            "timestamp": "2026-11-21T07:00:00.123456789Z", "member": if object == "member" { member } else { Value::Null }})
    };
    check(
        "stytch",
        event,
        &[
            ("user.CREATE", &["identify x1", "track x1 user.CREATE"], &["identify x1", "track x1 Signed Up"]),
            ("user.UPDATE", &["identify x1"], &["identify x1"]),
            ("user.DELETE", &["delete x1"], &["delete x1"]),
            (
                "member.CREATE",
                &["identify x1", "group x1 in o1", "track x1 member.CREATE"],
                &["identify x1", "group x1 in o1", "track x1 Account Added User"],
            ),
            ("member.UPDATE", &["identify x1"], &["identify x1"]),
            ("member.DELETE", &["delete x1"], &["delete x1"]),
            (
                "organization.CREATE",
                &["group anonymous x1 in x1", "track anonymous x1 organization.CREATE"],
                &["group anonymous x1 in x1", "track anonymous x1 Account Created"],
            ),
            ("organization.UPDATE", &["group anonymous x1 in x1"], &["group anonymous x1 in x1"]),
            (
                "organization.DELETE",
                &["track anonymous x1 organization.DELETE"],
                &["track anonymous x1 Account Deleted"],
            ),
            ("saml_connection.CREATE", &[], &[]),
        ],
    );
}

#[test]
fn the_only_verified_address_of_a_stytch_user_counts() {
    let email = |emails: Value| {
        let body = json!({"event_id": "e", "object_type": "user", "action": "UPDATE", "id": "u", "user": {"emails": emails}});
        mapped("stytch", &body, &Config::new("d")).0[0]["traits"].get("email").cloned().unwrap_or_default()
    };
    let address = |name: &str, verified: bool| json!({"email": name, "verified": verified});
    assert_eq!(email(json!([address("a", false)])), "a");
    assert_eq!(email(json!([address("a", false), address("b", true)])), "b");
    assert_eq!(email(json!([address("a", true), address("b", true)])), json!(null));
}

#[test]
fn every_type_of_logto_makes_its_messages() {
    let event = |event_type: &str| {
        let mut event = json!({"event": event_type, "createdAt": "2026-11-21T07:00:00.123Z", "userId": "u1", "user": {"id": "u1"}});
        if event_type.starts_with("User.") {
            event["data"] = json!({"id": "u1"});
        } else if event_type.starts_with("Organization.") {
            event["params"] = json!({"id": "o1"});
            event["data"] = json!({"id": "o1", "name": "Acme"});
        }
        event
    };
    check(
        "logto",
        event,
        &[
            (
                "PostRegister",
                &["identify u1", "track u1 PostRegister"],
                &["identify u1", "track u1 Signed Up"],
            ),
            ("PostSignIn", &["identify u1", "track u1 PostSignIn"], &["identify u1", "track u1 Signed In"]),
            ("User.Created", &["identify u1"], &["identify u1"]),
            ("User.Data.Updated", &["identify u1"], &["identify u1"]),
            ("User.SuspensionStatus.Updated", &["identify u1"], &["identify u1"]),
            ("User.Deleted", &["delete u1"], &["delete u1"]),
            (
                "Organization.Created",
                &["group anonymous o1 in o1", "track anonymous o1 Organization.Created"],
                &["group anonymous o1 in o1", "track anonymous o1 Account Created"],
            ),
            ("Organization.Data.Updated", &["group anonymous o1 in o1"], &["group anonymous o1 in o1"]),
            (
                "Organization.Deleted",
                &["track anonymous o1 Organization.Deleted"],
                &["track anonymous o1 Account Deleted"],
            ),
            ("Organization.Membership.Updated", &[], &[]),
            ("PostResetPassword", &[], &[]),
            ("Role.Created", &[], &[]),
        ],
    );
}

#[test]
fn every_type_of_ory_makes_its_messages() {
    let event =
        |event_type: &str| json!({"type": event_type, "id": "e1", "identity": {"id": "u1"}, "aal": "aal1"});
    check(
        "ory",
        event,
        &[
            (
                "registration.after",
                &["identify u1", "track u1 registration.after"],
                &["identify u1", "track u1 Signed Up"],
            ),
            ("login.after", &["track u1 login.after"], &["track u1 Signed In"]),
            ("settings.after", &["identify u1"], &["identify u1"]),
            ("verification.after", &["identify u1"], &["identify u1"]),
            ("recovery.after", &[], &[]),
        ],
    );
    let second_factor = json!({"type": "login.after", "id": "e1", "identity": {"id": "u1"}, "aal": "aal2"});
    assert!(outline("ory", &second_factor, &Config::new("d")).is_empty());
}

#[test]
fn every_type_of_supabase_makes_its_messages() {
    let event = |event_type: &str| {
        let parts: Vec<&str> = event_type.split('.').collect();
        let row = match parts[1] {
            "users" => json!({"id": "u1", "email": "a@example.com"}),
            _ => json!({"id": "s1", "user_id": "u1"}),
        };
        let (record, old) = match parts[2] {
            "INSERT" => (row, Value::Null),
            "DELETE" => (Value::Null, row),
            _ => (row, json!({"id": "u1", "email": "old@example.com"})),
        };
        json!({"schema": parts[0], "table": parts[1], "type": parts[2], "record": record, "old_record": old})
    };
    check(
        "supabase",
        event,
        &[
            (
                "auth.users.INSERT",
                &["identify u1", "track u1 auth.users.INSERT"],
                &["identify u1", "track u1 Signed Up"],
            ),
            ("auth.users.UPDATE", &["identify u1"], &["identify u1"]),
            ("auth.users.DELETE", &["delete u1"], &["delete u1"]),
            ("auth.sessions.INSERT", &["track u1 auth.sessions.INSERT"], &["track u1 Signed In"]),
            ("auth.sessions.DELETE", &[], &[]),
            // A table of that name in another schema is the customer's.
            ("public.users.INSERT", &[], &[]),
        ],
    );
    let row = |anonymous: bool| json!({"id": "u1", "is_anonymous": anonymous});
    let body = json!({"schema": "auth", "table": "users", "type": "UPDATE", "record": row(false), "old_record": row(true)});
    assert_eq!(outline("supabase", &body, &segment_naming()), ["identify u1", "track u1 Signed Up"]);
    let hook = |name: &str, anonymous: bool| {
        let body =
            json!({"metadata": {"uuid": "e", "name": name}, "user": {"id": "u1", "is_anonymous": anonymous}});
        outline("supabase-hook", &body, &Config::new("d"))
    };
    assert_eq!(hook("after-user-created", false), ["identify u1", "track u1 after-user-created"]);
    assert_eq!(hook("after-user-created", true), ["identify u1"]);
    assert!(hook("send-sms", false).is_empty());
}
