//! What holds for whatever Auth0 sends: no body does harm, and what is not on the lists never leaves.

use identity_webhook::{Config, map};
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use crate::{
    properties::{block_on, credential_key, json_value, objects, pointers},
    support::{Webhook, now, sample, with_bearer},
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

/// Names of members that may be sent from some place or other, or that say whom it is about. What is planted goes
/// by other names.
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
    serde_json::from_slice(&sample(&format!("bodies/{name}.json"))).unwrap()
}

/// A key that nobody allowed: a credential's, one that Auth0 uses, or any other.
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
    fn nothing_leaves_that_is_not_on_the_lists(
        (route, name) in prop::sample::select(SAMPLES.to_vec()),
        plants in prop::collection::vec((any::<Index>(), key(), 0..4_usize), 1..12),
    ) {
        let mut body = body(name);
        for (at, key, shape) in plants {
            let found = objects(&body);
            let target = body.pointer_mut(at.get::<String>(&found)).unwrap();
            target.as_object_mut().unwrap().insert(key, planted(shape));
        }
        let webhook = Webhook::auth0();
        let (status, answer) = block_on(webhook.send(with_bearer(route, body.to_string())));
        prop_assert!(status < 500 && !answer.to_string().contains("never-send"), "{} {}", status, answer);
        for published in webhook.topic.bodies() {
            prop_assert!(!published.contains("never-send"), "{}", published);
        }
    }

    #[test]
    fn a_mistyped_member_never_ends_in_a_server_error(
        (route, name) in prop::sample::select(SAMPLES.to_vec()),
        changes in prop::collection::vec((any::<Index>(), json_value()), 1..6),
    ) {
        let mut body = body(name);
        for (at, value) in changes {
            let mut found = Vec::new();
            pointers(&body, "", &mut found);
            *body.pointer_mut(at.get::<String>(&found)).unwrap() = value;
        }
        let webhook = Webhook::auth0();
        let (status, answer) = block_on(webhook.send(with_bearer(route, body.to_string())));
        // A record never spoils a batch: only a body that is none is refused.
        let refusals: &[u16] = if route == "auth0/logs" { &[200, 400] } else { &[200, 400, 422] };
        prop_assert!(refusals.contains(&status), "{} {}", status, answer);
        prop_assert_eq!(webhook.topic.bodies().len() as u64, answer["accepted"].as_u64().unwrap_or_default());
    }

    #[test]
    fn no_bytes_make_the_mapper_panic(
        (route, name) in prop::sample::select(SAMPLES.to_vec()),
        changes in prop::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..8),
    ) {
        let mut body = sample(&format!("bodies/{name}.json"));
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
        let first = map(route, &body, &config, None, now()).ok();
        prop_assert_eq!(first, map(route, &body, &config, None, now()).ok(), "mapping is deterministic");
    }
}
