//! The person in a log record: the device, and the few profile fields that a log holds.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{NO_USER_AGENT, device, inactive_context, profile, sapi};
use crate::{
    error::Unusable,
    event::Subject,
    members::text,
    path::find,
    providers::shared::{insert_created_at, is_email},
};

/// Returns the user that a log is about. Auth0 documents `user_id` as the user who logged in or was changed.
/// If the log of a change also names a user elsewhere, the two must match: the id in a body lacks the
/// connection before the `|`.
pub(super) fn subject(log: &Map<String, Value>) -> Subject<'_> {
    let is_user = |named: &Value| {
        let (Some(id), Some(named)) = (text(log, "user_id"), named.as_str()) else { return false };
        id == named || id.ends_with(&format!("|{named}"))
    };
    let in_body =
        |path: &str| find(log, path.split('.')).is_none_or(|named| named.is_null() || is_user(named));
    let in_path = sapi::user_in_path(log).is_none_or(|id| text(log, "user_id") == Some(&id));
    if in_path && in_body("details.body.user_id") && in_body("details.request.body.user_id") {
        return Subject::user(log, "user_id", "user_id");
    }
    Subject::Unknown(Unusable::new("user_id", "is not the user that details name"))
}

/// Returns the person's device and the organization.
pub(super) fn context(log: &Map<String, Value>) -> Map<String, Value> {
    let is_call = text(log, "type") == Some(sapi::CODE);
    let user_agent = text(log, "user_agent");
    // A user who was created in the Dashboard or through the API: the address is the administrator's, or
    // Auth0's own.
    let by_administrator =
        user_agent == Some(NO_USER_AGENT) && text(log, "client_name") == Some("All Applications");
    let mut context =
        if is_call || by_administrator { inactive_context() } else { device(text(log, "ip"), user_agent) };
    let organization = text(log, "organization_id").map(Cow::Borrowed);
    let organization = if is_call { sapi::organization_in_path(log) } else { organization };
    if let Some(id) = organization {
        context.insert("groupId".to_owned(), id.into());
    }
    context
}

/// Returns the profile fields that a log shows.
pub(super) fn profile(log: &Map<String, Value>, now: Timestamp) -> Map<String, Value> {
    if text(log, "type") == Some(sapi::CODE) {
        return sapi::user(log).map(|user| profile::profile(user, now)).unwrap_or_default();
    }
    let member = |path: &str| find(log, path.split('.'))?.as_str().filter(|text| !is_hidden(text));
    let user_name = member("user_name");
    let new_email = (text(log, "type") == Some("sce")).then(|| member("details.body.newEmail")).flatten();
    let places = ["details.body.email", "details.query.email", "details.request.body.email"];
    let emails = [new_email, user_name].into_iter().chain(places.into_iter().map(member));
    let phone = user_name.filter(|name| is_phone(name));
    let name = user_name.filter(|name| !is_email(name) && !is_phone(name));
    let fields = [
        ("email", emails.flatten().find(|email| is_email(email))),
        ("username", name),
        ("phone", phone),
        ("firstName", member("details.body.given_name")),
        ("lastName", member("details.body.family_name")),
        ("name", member("details.body.name")),
    ];
    let one = |(name, value): (&str, Option<&str>)| Some((name.to_owned(), value?.into()));
    let mut profile = fields.into_iter().filter_map(one).collect();
    if text(log, "type") == Some(SIGN_UP) {
        // The log's time is the time at which the user was created.
        insert_created_at(log, "date", &mut profile, now);
    }
    profile
}

const SIGN_UP: &str = "ss";

/// Whether a stream hides this value: a masked value is asterisks, a hashed one (xxHash) hexadecimal digits.
fn is_hidden(text: &str) -> bool {
    let has = |wanted: fn(&u8) -> bool| text.bytes().any(|byte| wanted(&byte));
    let is_hash = matches!(text.len(), 16 | 32) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.contains('*') || is_hash && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// Whether this is the user name of somebody who logs in by text message.
fn is_phone(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| digits.len() > 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_a_person_are_read_unless_they_are_hidden() {
        for (log, expected) in [
            (json!({"user_name": "ada@example.com"}), json!({"email": "ada@example.com"})),
            (json!({"user_name": "ada"}), json!({"username": "ada"})),
            (json!({"user_name": "+4520123456"}), json!({"phone": "+4520123456"})),
            (
                json!({"user_name": "ada", "details": {"body": {"email": "ada@example.com"}}}),
                json!({"email": "ada@example.com", "username": "ada"}),
            ),
            (
                json!({"details": {"query": {"email": "ada@example.com"}}}),
                json!({"email": "ada@example.com"}),
            ),
            (
                json!({"details": {"request": {"body": {"email": "ada@example.com"}}}}),
                json!({"email": "ada@example.com"}),
            ),
            (
                json!({"type": "sce", "user_name": "old@example.com", "details": {"body": {"newEmail": "new@example.com"}}}),
                json!({"email": "new@example.com"}),
            ),
            (
                json!({"type": "ss", "details": {"body": {"given_name": "Ada", "family_name": "Berg", "name": "Ada Berg"}}}),
                json!({"firstName": "Ada", "lastName": "Berg", "name": "Ada Berg"}),
            ),
            (json!({"user_name": "*****", "details": {"body": {"given_name": "***"}}}), json!({})),
            (json!({"user_name": "a**@example.com"}), json!({})),
            (json!({"user_name": "9b3f6c1de02a4785"}), json!({})),
            (json!({"user_name": "d24ec4f1a98c6e5bd24ec4f1a98c6e5b"}), json!({})),
            (json!({"user_name": "feedfacefeedface"}), json!({"username": "feedfacefeedface"})),
            (json!({"user_name": "1002345610023456"}), json!({"username": "1002345610023456"})),
            (json!({"user_name": "ada @ example.com"}), json!({"username": "ada @ example.com"})),
            (json!({"user_name": "@example.com"}), json!({"username": "@example.com"})),
            (json!({"user_name": 7, "details": []}), json!({})),
        ] {
            assert_eq!(
                Value::Object(profile(log.as_object().unwrap(), "2026-11-21T08:00:00Z".parse().unwrap())),
                expected,
                "{log}"
            );
        }
    }

    #[test]
    fn the_device_is_the_persons_or_missing() {
        let (ip, browser) = ("203.0.113.7", "Mozilla/5.0");
        for (log, expected) in [
            (json!({"ip": ip, "user_agent": browser}), json!({"ip": ip, "userAgent": browser})),
            (json!({"ip": ip, "user_agent": "unknown"}), json!({"ip": ip})),
            (json!({"ip": "127.0.0.1", "user_agent": ""}), json!({})),
            (json!({"ip": "::ffff:127.0.0.1"}), json!({})),
            (json!({"ip": 7, "user_agent": []}), json!({})),
            (
                json!({"ip": ip, "user_agent": "unknown", "client_name": "All Applications"}),
                json!({"active": false}),
            ),
            (
                json!({"ip": ip, "user_agent": browser, "client_name": "All Applications"}),
                json!({"ip": ip, "userAgent": browser}),
            ),
            (
                json!({"type": "sapi", "ip": ip, "user_agent": browser, "organization_id": "org_1"}),
                json!({"active": false}),
            ),
            (json!({"ip": ip, "organization_id": "org_1"}), json!({"ip": ip, "groupId": "org_1"})),
        ] {
            assert_eq!(Value::Object(context(log.as_object().unwrap())), expected, "{log}");
        }
    }
}
