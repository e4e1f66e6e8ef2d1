//! Event Streams: created, changed and deleted users and organizations, each as one CloudEvent.
//!
//! They do not report logins or other actions of a person. The log streams do.

use std::borrow::Cow;

use jiff::Timestamp;
use segment::json::JsonError;
use serde_json::{Map, Value};

use super::{CONTEXT, NO_USER_AGENT, device, inactive_context, profile as user};
use crate::{
    error::{Ignored, MapError, Unusable},
    event::{Event, Identity, ReadEvent, Subject},
    members::{object, renamed, required_text, text},
    provider::{CODE, Code, Provider, Reader, WEBHOOK},
    providers::shared::is_library,
    time::Time,
};

pub(in crate::providers) const PROVIDER: Provider = Provider {
    route: "auth0/events",
    name: "auth0",
    title: "Auth0",
    // Auth0 only retries after a 5xx.
    refusals_are_final: true,
    reader: Reader::Code(Code {
        events,
        context,
        profile,
        nested: |member| match member {
            "organization" => ORGANIZATION_TRAITS.iter().map(|(_, name)| *name).chain(["avatar"]).collect(),
            _ => Vec::new(),
        },
        ..CODE
    }),
    event_types: include_str!("event_types.txt"),
    context_paths: CONTEXT,
    user_at: &["data", "object"],
    existing: &["user.created", "user.updated"],
    changed_at: &["updated_at", "created_at"],
    // They change at each login, which a log stream or a login reports, and by Auth0 itself.
    bookkeeping: &["last_login", "last_ip", "logins_count", "updated_at", "loginsCount"],
    free_form: &["user_metadata", "app_metadata"],
    ..WEBHOOK
};

const USER: &str = "user.";
const MEMBER: &str = "organization.member.";
const ORGANIZATION: &str = "organization.";

fn events<'a>(document: &'a Value, body: &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError> {
    let Value::Object(event) = document else { return Err(JsonError::NotAnObject.into()) };
    let event_type = required_text(event, "type", "type")?;
    if text(event, "a0purpose") == Some("test") {
        // It is about a user who does not exist.
        return Ok(vec![Err(Ignored::LeftOut("it is a test delivery of Auth0"))]);
    }
    let object = data(event, "object");
    let is_user = event_type.starts_with(USER);
    let is_update = event_type == "user.updated";
    Ok(vec![Ok(Event {
        identity: text(event, "id").map_or(Identity::Body(body), |id| Identity::Event(id.into())),
        group_id: organization(event).map(Cow::Borrowed),
        time: Time::read(event.get("time")),
        tenant: text(event, "a0tenant"),
        user: object.filter(|_| is_user || is_about_organization(event_type)),
        // Auth0's schema allows it in other events too, where it is the same user or no user.
        previous: data(event, "previous_object").filter(|_| is_update),
        ..Event::new(event_type, event, subject(event_type, event))
    })])
}

fn is_about_organization(event_type: &str) -> bool {
    event_type.starts_with(ORGANIZATION) && !event_type.starts_with(MEMBER)
}

/// Returns the profile of a user, and in `organization` that of the organization.
fn profile(entity: &Map<String, Value>, now: Timestamp) -> Map<String, Value> {
    if entity.contains_key("user_id") {
        return user::profile(entity, now);
    }
    let mut traits = renamed(entity, ORGANIZATION_TRAITS);
    if let Some(name) = text(entity, "display_name").or_else(|| text(entity, "name")) {
        traits.insert("name".to_owned(), name.into());
    }
    if let Some(logo) = object(entity, "branding").and_then(|branding| text(branding, "logo_url")) {
        traits.insert("avatar".to_owned(), logo.into());
    }
    [("organization".to_owned(), traits.into())].into_iter().collect()
}

const ORGANIZATION_TRAITS: &[(&str, &str)] = &[("name", "name"), ("name", "slug")];

fn data<'a>(event: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    object(object(event, "data")?, name)
}

fn subject<'a>(event_type: &str, event: &'a Map<String, Value>) -> Subject<'a> {
    let Some(entity) = data(event, "object") else {
        return Subject::Unknown(Unusable::new("data.object", "must be an object"));
    };
    if event_type.starts_with(USER) {
        return Subject::user(entity, "user_id", "data.object.user_id");
    }
    // A member event is about a user of an organization. Any other event is about the organization alone.
    match (object(entity, "user"), organization(event)) {
        (Some(user), _) => Subject::user(user, "user_id", "data.object.user.user_id"),
        (None, Some(id)) if !event_type.starts_with(MEMBER) => Subject::Anonymous(id.into()),
        _ => Subject::Unknown(Unusable::new("data.object", "names no user and no organization")),
    }
}

/// Returns the id of the organization that an event is about.
fn organization(event: &Map<String, Value>) -> Option<&str> {
    let entity = data(event, "object")?;
    match object(entity, "organization") {
        Some(organization) => text(organization, "id"),
        // A member event is not about the organization itself. An id beside it belongs to something else.
        None => text(entity, "id").filter(|_| text(event, "type").is_some_and(is_about_organization)),
    }
}

fn context(event: &Map<String, Value>) -> Map<String, Value> {
    let mut context = own_device(event).unwrap_or_else(inactive_context);
    if let Some(id) = organization(event) {
        context.insert("groupId".to_owned(), id.into());
    }
    context
}

/// Returns the person's device, if the person made the request that caused the event. Organizations are
/// managed by others. A user may be changed by others too: those requests have no connection, use the methods
/// of the Management API, or come from a program.
fn own_device(event: &Map<String, Value>) -> Option<Map<String, Value>> {
    let cause = data(event, "context")?;
    let request = object(cause, "request")?;
    let user_agent = text(request, "user_agent").filter(|user_agent| *user_agent != NO_USER_AGENT)?;
    let method = text(request, "method").unwrap_or_default().to_ascii_uppercase();
    let own_device = text(event, "type")?.starts_with(USER)
        && cause.get("connection").is_some_and(Value::is_object)
        && !matches!(method.as_str(), "PATCH" | "PUT" | "DELETE")
        && !is_library(user_agent);
    own_device.then(|| device(text(request, "ip"), Some(user_agent)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_device_is_the_persons_or_missing() {
        let person = json!({
            "type": "user.updated",
            "data": {"object": {}, "context": {
                "connection": {"id": "con_1"},
                "request": {"ip": "203.0.113.7", "user_agent": "Mozilla/5.0", "method": "POST"},
            }},
        });
        let context_with = |pointer: &str, value: Value| {
            let mut event = person.clone();
            if !pointer.is_empty() {
                *event.pointer_mut(pointer).unwrap() = value;
            }
            Value::Object(context(event.as_object().unwrap()))
        };
        let (present, absent) =
            (json!({"ip": "203.0.113.7", "userAgent": "Mozilla/5.0"}), json!({"active": false}));
        for (pointer, value, expected) in [
            ("", json!(null), &present),
            ("/data/context/request/method", json!("GET"), &present),
            ("/data/context/request/method", json!(null), &present),
            ("/data/context/request/method", json!("patch"), &absent),
            ("/data/context/request/method", json!("DELETE"), &absent),
            ("/data/context/request/user_agent", json!("node"), &absent),
            ("/data/context/request/user_agent", json!("unknown"), &absent),
            ("/data/context/request/user_agent", json!(null), &absent),
            ("/data/context/request", json!([]), &absent),
            ("/data/context/connection", json!(null), &absent),
            ("/data/context", json!("x"), &absent),
            ("/data", json!(null), &absent),
            ("/type", json!("organization.member.added"), &absent),
        ] {
            assert_eq!(&context_with(pointer, value.clone()), expected, "{pointer} {value}");
        }
        assert_eq!(
            context_with("/data/context/request/ip", json!("::1")),
            json!({"userAgent": "Mozilla/5.0"})
        );
    }
}
