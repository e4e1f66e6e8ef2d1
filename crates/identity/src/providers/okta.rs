//! Reads the events of Okta's event hooks.
//!
//! A body holds several entries of Okta's system log in `data.events`. Each entry names who acted (`actor`)
//! and the objects that were affected (`target`, in no fixed order). When an administrator changes a user,
//! the actor is the administrator. So the actor counts as the user only for actions that users take on
//! themselves ([`is_own`]); any other entry must name its user as a target. No entry holds a full profile.
//! Okta often writes an unknown value as the text "null" or "unknown".

use std::time::Duration;

use jiff::Timestamp;
use segment::json::{self, JsonError};
use serde_json::{Map, Value, json};

use crate::{
    error::{Ignored, MapError, Unusable},
    event::{Event, Identity, ReadEvent, Subject},
    members::{object, renamed, required_text, text},
    provider::{Code, MAX_EVENTS, Provider, Reader, WEBHOOK},
    providers::shared::is_email,
    time::Time,
};

pub(super) const PROVIDER: Provider = Provider {
    route: "okta",
    name: "okta",
    title: "Okta",
    challenge: Some("x-okta-verification-challenge"),
    // Okta waits for 3 s.
    deadline: Duration::from_millis(2_500),
    // Okta repeats a request once, and never after a 4xx.
    refusals_are_final: true,
    reader: Reader::Code(Code {
        parse,
        events,
        may_be_new: |_| true,
        context,
        profile,
        nested: |member| match member {
            "group" | "application" => vec!["id", "name"],
            _ => Vec::new(),
        },
    }),
    event_types: include_str!("okta/event_types.txt"),
    context_paths: &[
        "active",
        "ip",
        "userAgent",
        "os.name",
        "device.type",
        "location.city",
        "location.region",
        "location.country",
    ],
    ..WEBHOOK
};

fn parse(body: &[u8]) -> Result<Value, JsonError> {
    // A fault in one event makes it null. It is reported below as not being an object.
    let (mut document, _) = json::parse_items(body, &["data", "events"], MAX_EVENTS)?;
    null_placeholders(&mut document);
    Ok(document)
}

/// Replaces texts that mean null with null, so that no rule takes one for a value.
fn null_placeholders(value: &mut Value) {
    match value {
        Value::String(text) if matches!(text.as_str(), "null" | "unknown") => *value = Value::Null,
        Value::Array(items) => items.iter_mut().for_each(null_placeholders),
        Value::Object(object) => object.values_mut().for_each(null_placeholders),
        _ => {}
    }
}

fn events<'a>(document: &'a Value, _: &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError> {
    let envelope = document.as_object().ok_or(JsonError::NotAnObject)?;
    let events = object(envelope, "data").and_then(|data| data.get("events")).and_then(Value::as_array);
    let events = events.ok_or_else(|| Unusable::new("data.events", "must be an array"))?.iter().enumerate();
    let read = events.map(|(index, event)| read(event, &format!("data.events[{index}]")));
    Ok(read.map(|read| read.map_err(Ignored::Unusable)).collect())
}

fn read<'a>(event: &'a Value, at: &str) -> Result<Event<'a>, Unusable> {
    let event = event.as_object().ok_or_else(|| Unusable::new(at, "must be an object"))?;
    let event_type = required_text(event, "eventType", &format!("{at}.eventType"))?;
    let id = required_text(event, "uuid", &format!("{at}.uuid"))?;
    let subject = match affected_user(event) {
        Some(user) => Subject::user(user, "id", &format!("{at}, the id of its user,")),
        None => Subject::Unknown(Unusable::new(at, "does not name the one user that it is about")),
    };
    Ok(Event {
        identity: Identity::Event(id.into()),
        group_id: target(event, "UserGroup").and_then(|group| text(group, "id")).map(Into::into),
        time: Time::read(event.get("published")),
        // The profile is built from several parts of it.
        user: Some(event),
        // One unusable event must not cost the others: Okta would not send them again.
        refusable: false,
        ..Event::new(event_type, event, subject)
    })
}

/// Actions that users take on themselves, by the descriptions in Okta's list of event types: they log in and
/// out, and prove who they are. The other types of these families are actions of an administrator or of Okta:
/// `user.session.clear`, `user.session.expire`, `user.session.impersonation.*`,
/// `user.authentication.universal_logout*`.
const OWN: [&str; 12] = [
    "user.session.start",
    "user.session.end",
    "user.session.access_admin_app",
    "user.device_session.start",
    "user.device_session.end",
    "user.authentication.auth",
    "user.authentication.authenticate",
    "user.authentication.slo",
    "user.authentication.sso",
    "user.authentication.verify",
    "user.account.report_suspicious_activity_by_enduser",
    "user.mfa.okta_verify.deny_push",
];

/// Each way of logging in has a separate type, and Okta adds more each year.
const OWN_FAMILY: &str = "user.authentication.auth_";

/// Whether the actor of an event is the user that it is about.
fn is_own(event: &Map<String, Value>) -> bool {
    text(event, "eventType").is_some_and(|name| OWN.contains(&name) || name.starts_with(OWN_FAMILY))
}

/// Returns the user that an event is about: the target user, or the actor if users take this action on
/// themselves.
fn affected_user(event: &Map<String, Value>) -> Option<&Map<String, Value>> {
    match targets(event, USER).next() {
        Some(_) => target(event, USER),
        None => actor(event).filter(|_| is_own(event)),
    }
}

const USER: &str = "User";

fn actor(event: &Map<String, Value>) -> Option<&Map<String, Value>> {
    object(event, "actor").filter(|actor| is_of_type(actor, USER))
}

/// Returns the targets of that type.
fn targets<'a>(
    event: &'a Map<String, Value>,
    of_type: &'static str,
) -> impl Iterator<Item = &'a Map<String, Value>> {
    let targets = event.get("target").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    targets.iter().filter_map(Value::as_object).filter(move |target| is_of_type(target, of_type))
}

/// Returns the target of that type, unless there are several. They have no fixed order, so it would be
/// unclear which one is meant, and a deletion of the wrong user cannot be undone.
fn target<'a>(event: &'a Map<String, Value>, of_type: &'static str) -> Option<&'a Map<String, Value>> {
    let mut targets = targets(event, of_type);
    let first = targets.next()?;
    targets.all(|other| text(other, "id") == text(first, "id")).then_some(first)
}

/// Whether the object has that type, in any letter case.
fn is_of_type(object: &Map<String, Value>, of_type: &str) -> bool {
    text(object, "type").is_some_and(|name| name.trim().eq_ignore_ascii_case(of_type))
}

/// Returns the device of the actor, if the actor is the user: not for an administrator, and not for a failed
/// login.
fn context(event: &Map<String, Value>) -> Map<String, Value> {
    let mut context = Map::new();
    let mut set = |name: &str, value: Value| drop(context.insert(name.to_owned(), value));
    let id = |user: &Map<String, Value>| text(user, "id").map(str::to_owned);
    let user = affected_user(event).and_then(id);
    let outcome = object(event, "outcome").and_then(|outcome| text(outcome, "result"));
    let failed = outcome.is_some_and(|result| result != "SUCCESS");
    if failed || user.is_none() || actor(event).and_then(id) != user {
        // In Segment, `active: false` means "update the traits, but this person was not here".
        set("active", false.into());
        return context;
    }
    let Some(client) = object(event, "client") else { return context };
    if let Some(ip) = text(client, "ipAddress") {
        set("ip", ip.into());
    }
    if let Some(agent) = object(client, "userAgent") {
        if let Some(name) = text(agent, "rawUserAgent") {
            set("userAgent", name.into());
        }
        if let Some(name) = text(agent, "os").filter(is_known) {
            set("os", json!({"name": name}));
        }
    }
    if let Some(kind) = text(client, "device").filter(is_known) {
        set("device", json!({"type": kind}));
    }
    if let Some(place) = object(client, "geographicalContext") {
        let place = renamed(place, &[("city", "city"), ("state", "region"), ("country", "country")]);
        if !place.is_empty() {
            set("location", place.into());
        }
    }
    context
}

/// Whether a text is a value. Unknown operating systems and devices are "Unknown".
fn is_known(text: &&str) -> bool {
    !text.eq_ignore_ascii_case("unknown")
}

/// Returns the user as Okta describes one, and the `group` and the `application` of the event.
fn profile(event: &Map<String, Value>, _: Timestamp) -> Map<String, Value> {
    let mut profile = Map::new();
    if let Some(user) = affected_user(event) {
        profile = renamed(user, &[("displayName", "name"), ("alternateId", "username")]);
        // The login is an address unless the organization chose another form.
        if let Some(login) = text(user, "alternateId").filter(|login| is_email(login)) {
            profile.insert("email".to_owned(), login.into());
        }
    }
    for (name, of_type) in [("group", "UserGroup"), ("application", "AppInstance")] {
        if let Some(target) = target(event, of_type) {
            let target = renamed(target, &[("id", "id"), ("displayName", "name")]);
            profile.insert(name.to_owned(), target.into());
        }
    }
    profile
}
