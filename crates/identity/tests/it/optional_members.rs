//! A property of each provider: if any member of a body is null, absent, empty or of another type, each
//! message is still right or has fewer traits, or there is no message, with a reason.

use std::collections::BTreeSet;

use identity::{Config, Mapping};
use jiff::Timestamp;
use proptest::{prelude::*, sample::Index};
use segment::timestamp;
use serde_json::{Value, json};

use crate::{
    properties::pointers,
    support::{self, map, messages, now},
};

/// Returns the bodies of a provider. A log stream with one record a line is not a JSON document.
fn bodies(route: &str) -> Vec<Value> {
    let all = support::bodies().into_iter();
    let mut bodies: Vec<Value> = all.filter(|(of, _)| *of == route).map(|(_, body)| body).collect();
    if route == "cognito" {
        // As the function passes it.
        let invocation = json!({"id": "invocation-1", "time": "2026-11-21T07:59:59.000Z"});
        bodies.iter_mut().for_each(|body| body["invocation"] = invocation.clone());
    }
    bodies
}

/// Generates the replacement of a member; `None` removes it. There is no other text among these, because it
/// would be believed.
fn replacement() -> impl Strategy<Value = Option<Value>> {
    prop::sample::select(vec![
        None,
        Some(json!(null)),
        Some(json!("")),
        Some(json!(" ")),
        Some(json!([])),
        Some(json!({})),
        Some(json!(0)),
        Some(json!(-1.5)),
        Some(json!(1e300)),
        Some(json!(20_268_748_800_000_i64)),
        Some(json!(true)),
        Some(json!(false)),
        Some(json!([7])),
        Some(json!([{}])),
        Some(json!({"id": 7, "type": null})),
    ])
}

/// Whether a value is more than another value of the same type, which would be believed. A time may be any
/// number.
fn is_odd(name: &str, before: &Value, after: &Value) -> bool {
    let is_time = ["Instant", "_at", "timestamp", "date"].iter().any(|end| name.ends_with(end));
    match (before, after) {
        (Value::Bool(_), Value::Bool(_)) => false,
        (Value::Number(_), Value::Number(_)) => is_time,
        _ => true,
    }
}

fn changed(original: &Value, changes: &[(Index, Option<Value>)]) -> Value {
    let mut body = original.clone();
    for (at, value) in changes {
        let mut found = Vec::new();
        pointers(&body, "", &mut found);
        let pointer = at.get(&found).clone();
        let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
        let name = name.replace("~1", "/").replace("~0", "~");
        let Some(value) = value else {
            match body.pointer_mut(parent) {
                Some(Value::Object(object)) => drop(object.shift_remove(&name)),
                Some(Value::Array(items)) => drop(items.remove(name.parse().unwrap())),
                _ => {}
            }
            continue;
        };
        let before = original.pointer(&pointer).unwrap_or(&Value::Null);
        if is_odd(&name, before, value) {
            *body.pointer_mut(&pointer).unwrap() = value.clone();
        }
    }
    body
}

/// Returns the mapping of a body that is not refused.
fn send(route: &str, body: &Value) -> Option<Mapping> {
    map(route, body.to_string(), &Config::new("d")).ok()
}

/// Returns the call, the user and the group of a message.
fn about(message: &Value) -> String {
    let id = |name: &str| message[name].as_str().unwrap_or_default();
    format!("{} {} {} {}", id("type"), id("userId"), id("anonymousId"), id("groupId"))
}

/// Returns the paths of empty values, except in free-form data, which is sent as received.
fn empties(value: &Value, at: &str) -> Vec<String> {
    match value {
        Value::Null => vec![at.to_owned()],
        Value::String(text) if text.trim().is_empty() => vec![at.to_owned()],
        Value::Array(items) if items.is_empty() => vec![at.to_owned()],
        Value::Object(object) if object.is_empty() => vec![at.to_owned()],
        Value::Array(items) => items.iter().flat_map(|item| empties(item, at)).collect(),
        Value::Object(object) => {
            let rest = object.iter().filter(|(name, _)| *name != "data");
            rest.flat_map(|(name, value)| empties(value, &format!("{at}.{name}"))).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the times in a message, by name.
fn times(value: &Value) -> Vec<&Value> {
    let is_time = |name: &str| name == "timestamp" || name.ends_with("At") || name.ends_with("Instant");
    match value {
        Value::Array(items) => items.iter().flat_map(times).collect(),
        Value::Object(object) => {
            let rest = object.iter().filter(|(name, _)| *name != "data");
            rest.flat_map(|(name, value)| if is_time(name) { vec![value] } else { times(value) }).collect()
        }
        _ => Vec::new(),
    }
}

fn is_plausible(time: &Value) -> bool {
    let time: Option<Timestamp> = timestamp::parse(time);
    time.is_some_and(|time| timestamp::plausible(time, now()))
}

/// Lists and objects with members may have lost some of their content.
fn is_plain(value: &Value) -> bool {
    !value.is_array() && !value.is_object()
}

/// Returns the messages that a body may make: those that it makes, and those that it would make if it did not
/// say that nothing changed or that it is no login.
fn right(route: &str, body: &Value) -> Vec<Value> {
    let mut talkative = body.clone();
    for (parent, name) in [
        ("/event", "original"),
        ("/data", "previous_object"),
        ("/context", "protocol"),
        ("/transaction", "protocol"),
    ] {
        if let Some(Value::Object(object)) = talkative.pointer_mut(parent) {
            object.shift_remove(name);
        }
    }
    [body, &talkative]
        .into_iter()
        .filter_map(|body| send(route, body))
        .flat_map(|mapping| messages(&mapping))
        .collect()
}

fn check(route: &str, body: &Value, changes: &[(Index, Option<Value>)]) -> Result<(), TestCaseError> {
    let unchanged = right(route, body);
    // These have samples that make no message because of a condition, which a change may fulfill.
    let conditional = ["logto", "ory", "supabase", "workos"].contains(&route);
    if conditional && (unchanged.is_empty() || body["type"] == "UPDATE") {
        return Ok(());
    }
    let mut known: BTreeSet<String> = unchanged.iter().map(about).collect();
    if route == "clerk" {
        // Without the creator of an organization, its own id is used instead.
        known
            .extend(unchanged.iter().filter_map(|one| Some(format!("track  {} ", one["groupId"].as_str()?))));
    }
    let body = changed(body, changes);
    let Some(mapping) = send(route, &body) else { return Ok(()) };
    prop_assert!(
        !mapping.messages.is_empty() || !mapping.ignored.is_empty() || is_batch(&body),
        "no reason {body}"
    );
    for message in messages(&mapping) {
        prop_assert!(known.contains(&about(&message)), "{} is not among {known:?}\n{body}", about(&message));
        prop_assert!(times(&message).into_iter().all(is_plausible), "{message}\n{body}");
        // Properties and the application belong to the event and are sent as received.
        for part in ["traits", "context"] {
            let members = message[part].as_object().into_iter().flatten();
            for (name, value) in
                members.filter(|(name, _)| !["data", "applicationId"].contains(&name.as_str()))
            {
                prop_assert_eq!(empties(value, name), Vec::<String>::new(), "{}\n{}", message, body);
                let same = unchanged.iter().any(|before| before[part].get(name) == Some(value));
                let absent = part == "context" && name == "active" && value == false;
                // Cognito's flags are texts that may be read as booleans.
                let flag = route == "cognito" && value.is_boolean();
                // If the expected value is missing, another one of the same user or organization may replace
                // it.
                let another = matches!(name.as_str(), "email" | "phone" | "username" | "name")
                    && value.as_str().is_some_and(|text| body.to_string().contains(text));
                prop_assert!(
                    same || absent || flag || another || !is_plain(value),
                    "{part}.{name} of {message}\n{body}"
                );
            }
        }
    }
    Ok(())
}

/// Whether the body may hold no event at all.
fn is_batch(body: &Value) -> bool {
    let list = [Some(body), body.get("logs"), body.pointer("/data/events")];
    list.into_iter().flatten().any(|list| list.as_array().is_some_and(Vec::is_empty))
}

macro_rules! properties {
    ($($name:ident: $route:literal;)*) => {
        proptest! {
            $(#[test]
            fn $name(
                body in prop::sample::select(bodies($route)),
                changes in prop::collection::vec((any::<Index>(), replacement()), 1..3),
            ) {
                check($route, &body, &changes)?;
            })*
        }
    };
}

properties! {
    any_odd_fusionauth_body_is_right_or_less: "fusionauth";
    any_odd_auth0_login_is_right_or_less: "auth0/login";
    any_odd_auth0_log_is_right_or_less: "auth0/logs";
    any_odd_auth0_event_is_right_or_less: "auth0/events";
    any_odd_clerk_body_is_right_or_less: "clerk";
    any_odd_okta_body_is_right_or_less: "okta";
    any_odd_cognito_trigger_is_right_or_less: "cognito";
    any_odd_keycloak_body_is_right_or_less: "keycloak";
    any_odd_kinde_body_is_right_or_less: "kinde";
    any_odd_logto_body_is_right_or_less: "logto";
    any_odd_ory_body_is_right_or_less: "ory";
    any_odd_stytch_body_is_right_or_less: "stytch";
    any_odd_supabase_body_is_right_or_less: "supabase";
    any_odd_supabase_hook_body_is_right_or_less: "supabase-hook";
    any_odd_workos_body_is_right_or_less: "workos";
}
