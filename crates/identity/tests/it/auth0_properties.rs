//! Properties of all that Auth0 sends: no body does harm, and a member that is not on the lists never leaves.

use identity::{Config, MapError};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::{
    properties::{credential_key, json_value, objects, pointers},
    support::{map, sample_body, seen},
};

const SAMPLES: [(&str, &str); 9] = [
    ("auth0/logs", "auth0.logs.array"),
    ("auth0/logs", "auth0.logs.object"),
    ("auth0/logs", "auth0.logs.wrapped"),
    ("auth0/events", "auth0.events.user.created"),
    ("auth0/events", "auth0.events.user.updated"),
    ("auth0/events", "auth0.events.user.deleted"),
    ("auth0/events", "auth0.events.organization.created"),
    ("auth0/events", "auth0.events.organization.member.added"),
    ("auth0/events", "auth0.events.organization.member.role.assigned"),
];

/// Names of members that may be sent, or that identify the user. Planted members have other names.
const ALLOWED: &[&str] = &[
    "a0tenant",
    "blocked",
    "client_id",
    "client_name",
    "connection",
    "created_at",
    "date",
    "description",
    "display_name",
    "email",
    "email_verified",
    "family_name",
    "given_name",
    "id",
    "ip",
    "loginsCount",
    "logins_count",
    "logo_url",
    "members",
    "name",
    "newEmail",
    "nickname",
    "organization_id",
    "path",
    "phone_number",
    "phone_verified",
    "picture",
    "strategy",
    "tenant_name",
    "time",
    "type",
    "user_agent",
    "user_id",
    "user_name",
    "username",
];

const PLANTED: &str = "never-send-planted";

fn body(name: &str) -> Value {
    serde_json::from_slice(&sample_body(name)).unwrap()
}

/// Generates a key that is not allowed: a credential's, one that Auth0 uses, or any other.
fn key() -> impl Strategy<Value = String> {
    let used = [
        "state",
        "code",
        "ticket",
        "nonce",
        "redirect_uri",
        "return_to",
        "note",
        "query",
        "qs",
        "body",
        "error",
        "request",
        "response",
        "auth",
        "user",
        "userAgent",
        "session_id",
        "prompts",
        "stats",
        "details",
        "accessedSecrets",
        "app_metadata",
        "user_metadata",
        "metadata",
        "profileData",
        "identities",
        "multifactor",
        "last_ip",
        "last_login",
        "previous_object",
        "context",
        "organization",
        "role",
        "client",
        "branding",
        "hostname",
        "scope",
        "identity",
    ];
    prop_oneof![
        credential_key(),
        prop::sample::select(used.to_vec()).prop_map(str::to_owned),
        "[a-zA-Z_]{1,10}".prop_filter("it is on the list", |key| !ALLOWED.contains(&key.as_str())),
    ]
}

fn planted(shape: usize) -> Value {
    [json!(PLANTED), json!([PLANTED, [PLANTED]]), json!({"inner": {"x": PLANTED}}), json!([{"y": PLANTED}])]
        [shape]
        .clone()
}

proptest! {
    #[test]
    fn a_member_that_is_not_on_the_lists_is_never_sent(
        (route, name) in prop::sample::select(SAMPLES.to_vec()),
        plants in prop::collection::vec((any::<Index>(), key(), 0..4_usize), 1..12),
    ) {
        let mut body = body(name);
        for (at, key, shape) in plants {
            let found = objects(&body);
            let target = body.pointer_mut(at.get::<String>(&found)).unwrap();
            target.as_object_mut().unwrap().insert(key, planted(shape));
        }
        let seen = seen(route, &body);
        prop_assert!(!seen.contains("never-send"), "{}", seen);
    }

    #[test]
    fn a_mistyped_member_does_not_affect_its_batch(
        (route, name) in prop::sample::select(SAMPLES.to_vec()),
        changes in prop::collection::vec((any::<Index>(), json_value()), 1..6),
    ) {
        let mut body = body(name);
        for (at, value) in changes {
            let mut found = Vec::new();
            pointers(&body, "", &mut found);
            *body.pointer_mut(at.get::<String>(&found)).unwrap() = value;
        }
        let error = map(route, body.to_string(), &Config::new("d")).err();
        // Only a body that holds no event is refused.
        let is_refused = route != "auth0/logs" && matches!(error, Some(MapError::Unusable(_)));
        prop_assert!(is_refused || matches!(error, None | Some(MapError::Json(_))), "{:?}", error);
    }

    #[test]
    fn no_bytes_make_the_mapper_panic(
        (route, name) in prop::sample::select(SAMPLES.to_vec()),
        changes in prop::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..8),
    ) {
        let mut body = sample_body(name);
        for (at, byte, how) in changes {
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => body.insert(at, b'\n'),
                _ => body.truncate(at.max(1)),
            }
        }
        let config = Config::new("d");
        let first = map(route, &body, &config).ok();
        prop_assert_eq!(first, map(route, &body, &config).ok(), "mapping is deterministic");
    }
}
