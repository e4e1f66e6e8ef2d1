//! A login, as Auth0's rules post it (`{"user": …, "context": …}`) and as a post-login Action posts it
//! (`{"user", "request", "client", "stats", "transaction", …}`).
//!
//! The ledger decides whether it is the user's first login. The body only matters when the ledger sees a user
//! for the first time: a user who signed up before Segue was installed must not count as new.

use std::time::Duration;

use segment::json::JsonError;
use serde_json::{Map, Value};

use super::profile::profile;
use crate::{
    error::{Ignored, MapError},
    event::{Event, Identity, LOGIN, ReadEvent, SIGN_UP, Subject},
    members::{object, required_object, text},
    path::find,
    provider::{CODE, Code, EntryPoint, Provider, Reader, WEBHOOK},
};

pub(in crate::providers) const PROVIDER: Provider = Provider {
    route: "auth0/login",
    name: "auth0",
    title: "Auth0",
    entry_point: EntryPoint::Login,
    // The Action of docs/auth0.md waits a second and then continues. A clear 503 arrives before that.
    deadline: Duration::from_millis(800),
    reader: Reader::Code(Code { events, context, profile, ..CODE }),
    user_at: &["user"],
    ..WEBHOOK
};

/// Protocols by which nobody logs in. Rules had to skip the first one by hand, and the second one is used for
/// every new access token.
const NO_LOGIN: [&str; 2] = ["delegation", "oauth2-refresh-token"];

fn events<'a>(document: &'a Value, body: &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError> {
    let Value::Object(login) = document else { return Err(JsonError::NotAnObject.into()) };
    let user = required_object(login, "user", "user")?;
    if protocol(login).is_some_and(|protocol| NO_LOGIN.contains(&protocol)) {
        return Ok(vec![Err(Ignored::LeftOut("it exchanges a token, and nobody logged in"))]);
    }
    if is_silent(login) {
        return Ok(vec![Err(Ignored::LeftOut("it renews a session silently, and nobody logged in"))]);
    }
    let event_type = if signed_up_before(login, user) { LOGIN } else { SIGN_UP };
    Ok(vec![Ok(Event {
        identity: text(login, "id").map_or(Identity::Body(body), |id| Identity::Event(id.into())),
        user: Some(user),
        ..Event::new(event_type, login, Subject::user(user, "user_id", "user.user_id"))
    })])
}

/// Returns the protocol, as a rule or an Action posts it.
fn protocol(login: &Map<String, Value>) -> Option<&str> {
    ["context", "transaction"].into_iter().find_map(|part| text(object(login, part)?, "protocol"))
}

/// Whether the user saw no prompt (`prompt=none`; OpenID Connect Core, 3.1.2.1).
fn is_silent(login: &Map<String, Value>) -> bool {
    let places = [
        &["transaction", "prompt"][..],
        &["request", "query", "prompt"],
        &["context", "request", "query", "prompt"],
    ];
    places.iter().filter_map(|place| find(login, place.iter().copied())).any(|prompt| match prompt {
        Value::Array(prompts) => prompts.iter().any(|one| one == "none"),
        prompt => prompt == "none",
    })
}

/// Whether the rule left a mark in the user's metadata, or Auth0 counts more than one login. A count of one
/// proves nothing: an unknown user may have logged in before, because only the newest login is posted.
fn signed_up_before(login: &Map<String, Value>, user: &Map<String, Value>) -> bool {
    // Old profiles also have the metadata's members at the top level, where the rule's own description looks
    // for them.
    let places = [&["app_metadata", "signedUp"][..], &["signedUp"]];
    let marked = places.iter().filter_map(|place| find(user, place.iter().copied())).any(|flag| match flag {
        Value::Bool(flag) => *flag,
        // Truthy, as the `if` in a rule evaluates it.
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    });
    let counts = [&["stats", "logins_count"][..], &["context", "stats", "loginsCount"]];
    let mut counts = counts.iter().filter_map(|place| find(login, place.iter().copied())?.as_f64());
    marked || counts.any(|count| count > 1.0)
}

fn context(login: &Map<String, Value>) -> Map<String, Value> {
    let places: [(&str, [&[&str]; 3]); 2] = [
        ("ip", [&["context", "ip"], &["context", "request", "ip"], &["request", "ip"]]),
        (
            "userAgent",
            [&["context", "userAgent"], &["context", "request", "userAgent"], &["request", "user_agent"]],
        ),
    ];
    let one = |(name, places): (&str, [&[&str]; 3])| {
        let found = places.iter().find_map(|place| find(login, place.iter().copied())?.as_str());
        Some((name.to_owned(), found?.into()))
    };
    places.into_iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event_type(login: &Value) -> Result<String, String> {
        let mut events = events(login, b"").map_err(|error| error.to_string())?;
        events.remove(0).map(|event| event.event_type.into_owned()).map_err(|ignored| ignored.to_string())
    }

    #[test]
    fn auth0s_data_shows_who_signed_up_before() {
        for (login, expected) in [
            (json!({"user": {}}), "signup"),
            (json!({"user": {"app_metadata": {}}, "context": {"stats": {"loginsCount": 1}}}), "signup"),
            (json!({"user": {"app_metadata": {"signedUp": true}}}), "login"),
            (json!({"user": {"app_metadata": {"signedUp": "yes"}}}), "login"),
            (json!({"user": {"signedUp": true}}), "login"),
            (json!({"user": {"signedUp": false, "app_metadata": {"signedUp": true}}}), "login"),
            (json!({"user": {"app_metadata": {"signedUp": 1}}}), "login"),
            (json!({"user": {"app_metadata": {"signedUp": 0}}}), "signup"),
            (json!({"user": {"app_metadata": {"signedUp": ""}}}), "signup"),
            (json!({"user": {"app_metadata": {"signedUp": false}}, "stats": {"logins_count": 2}}), "login"),
            (json!({"user": {"app_metadata": {"signedUp": null}}, "stats": {"logins_count": 1}}), "signup"),
            (json!({"user": {"app_metadata": []}, "stats": {"logins_count": "9"}}), "signup"),
            (json!({"user": {}, "context": {"stats": {"loginsCount": 7}}}), "login"),
        ] {
            assert_eq!(event_type(&login).as_deref(), Ok(expected), "{login}");
        }
    }

    #[test]
    fn a_request_that_is_no_login_is_left_out() {
        let (token, silent) = (
            Err("it exchanges a token, and nobody logged in".to_owned()),
            Err("it renews a session silently, and nobody logged in".to_owned()),
        );
        let login = Ok("signup".to_owned());
        for (body, expected) in [
            (json!({"context": {"protocol": "delegation"}}), &token),
            (json!({"context": {"protocol": "oauth2-refresh-token"}}), &token),
            (json!({"transaction": {"protocol": "oauth2-refresh-token"}}), &token),
            (json!({"transaction": {"protocol": "oidc-basic-profile"}}), &login),
            (json!({"transaction": {"protocol": null}}), &login),
            (json!({"transaction": {"prompt": ["none"]}}), &silent),
            (json!({"transaction": {"prompt": ["login"]}}), &login),
            (json!({"request": {"query": {"prompt": "none"}}}), &silent),
            (json!({"context": {"request": {"query": {"prompt": "none"}}}}), &silent),
        ] {
            let mut body = body;
            body["user"] = json!({"user_id": "u"});
            assert_eq!(&event_type(&body), expected, "{body}");
        }
    }

    #[test]
    fn the_device_is_found_where_a_rule_and_an_action_put_it() {
        for (login, expected) in [
            (
                json!({"context": {"ip": "203.0.113.7", "userAgent": "a"}}),
                json!({"ip": "203.0.113.7", "userAgent": "a"}),
            ),
            (
                json!({"context": {"request": {"ip": "203.0.113.8", "userAgent": "b"}}}),
                json!({"ip": "203.0.113.8", "userAgent": "b"}),
            ),
            (
                json!({"request": {"ip": "203.0.113.9", "user_agent": "c"}}),
                json!({"ip": "203.0.113.9", "userAgent": "c"}),
            ),
            (json!({"request": {"ip": 7}, "context": "x"}), json!({})),
        ] {
            assert_eq!(Value::Object(context(login.as_object().unwrap())), expected, "{login}");
        }
    }
}
