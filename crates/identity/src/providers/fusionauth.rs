//! Reads FusionAuth's events.
//!
//! The body is one event, `{"event": {…}}`; an import holds many users. Some of FusionAuth's own examples
//! lack the wrapper, so both forms are accepted. Only `id` and `type` are in every event. The documented
//! misspellings (`user.two-factor.failed.attempt`, `.complete` events without `.complete`) all belong to
//! types without a rule, and are ignored like them.

mod caller;
mod identities;
mod traits;

use std::time::Duration;

use segment::json::{self, JsonError};
use serde_json::{Map, Value};

use crate::{
    error::{Ignored, MapError, Unusable},
    event::{Event, Identity, ReadEvent, Subject},
    members::{object, required_text, text},
    provider::{CODE, Code, MAX_EVENTS, Provider, Reader, WEBHOOK},
    signature::{BodyHashToken, Encoding, Signature},
    time::Time,
};

pub(super) const PROVIDER: Provider = Provider {
    route: "fusionauth",
    name: "fusionauth",
    title: "FusionAuth",
    signature: Some(Signature::BodyHash(BodyHashToken {
        header: "x-fusionauth-signature-jwt",
        claim: "request_body_sha256",
        encoding: Encoding::Base64,
        leeway: Duration::from_secs(60),
    })),
    reader: Reader::Code(Code {
        events,
        context: caller::context,
        profile: traits::profile,
        nested: traits::nested,
        ..CODE
    }),
    event_types: include_str!("fusionauth/event_types.txt"),
    context_paths: caller::CONTEXT,
    user_at: &["user"],
    existing: &["user.create.complete", "user.update.complete"],
    changed_at: &["lastUpdateInstant", "insertInstant"],
    // FusionAuth sends `user.update` at every login through an external provider, and each login changes the
    // times of the login and of the update. If those counted, every update would be a change.
    bookkeeping: &["lastLoginInstant", "lastUpdateInstant"],
    free_form: &["data"],
    ..WEBHOOK
};

/// Whether an unusable body of this type is refused. FusionAuth can be set to fail the user's action when a
/// webhook is refused. For other types, a refusal could thus keep the user from logging in, so the event is
/// left out and counted.
fn is_refusable(event_type: &str) -> bool {
    event_type.ends_with(".complete") || event_type == "user.email.update"
}

/// An import. Its users have no other creation event.
const IMPORT: &str = "user.bulk.create";

fn events<'a>(document: &'a Value, body: &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError> {
    let Value::Object(envelope) = document else { return Err(JsonError::NotAnObject.into()) };
    let (event, prefix) = match envelope.get("event") {
        Some(Value::Object(event)) => (event, "event."),
        Some(_) => return Err(Unusable::new("event", "must be an object").into()),
        None => (envelope, ""),
    };
    let event_type = required_text(event, "type", &format!("{prefix}type"))?;
    if event_type == IMPORT {
        return imported(event, prefix);
    }
    let identity = text(event, "id").map_or(Identity::Body(body), |id| Identity::Event(id.into()));
    // The update of a registration holds the old registration here, not a user.
    let previous = object(event, "original").filter(|_| event_type.starts_with("user.update"));
    Ok(vec![Ok(Event {
        previous,
        ..event_for(event_type, event, object(event, "user"), identity, subject(event, prefix))
    })])
}

/// Returns the event for one user.
fn event_for<'a>(
    event_type: &'a str,
    event: &'a Map<String, Value>,
    user: Option<&'a Map<String, Value>>,
    identity: Identity<'a>,
    subject: Subject<'a>,
) -> Event<'a> {
    Event {
        identity,
        time: Time::read(event.get("createInstant")),
        tenant: text(event, "tenantId").or_else(|| text(user?, "tenantId")),
        user,
        refusable: is_refusable(event_type),
        ..Event::new(event_type, event, subject)
    }
}

fn subject<'a>(event: &'a Map<String, Value>, prefix: &str) -> Subject<'a> {
    match event.get("user") {
        Some(Value::Object(user)) => Subject::user(user, "id", &format!("{prefix}user.id")),
        Some(_) => Subject::Unknown(Unusable::new(format!("{prefix}user"), "must be an object")),
        None => Subject::Unknown(Unusable::new(format!("{prefix}user"), "is missing")),
    }
}

/// Returns an event for each imported user. A user that cannot be used is left out and does not affect the
/// others.
fn imported<'a>(event: &'a Map<String, Value>, prefix: &str) -> Result<Vec<ReadEvent<'a>>, MapError> {
    let place = format!("{prefix}users");
    let users = event.get("users").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    match users.len() {
        0 => return Ok(vec![Err(Ignored::Unusable(Unusable::new(place, "has no users")))]),
        1..=MAX_EVENTS => {}
        _ => return Err(JsonError::TooManyItems { most: MAX_EVENTS }.into()),
    }
    let one = |(index, user): (usize, &'a Value)| {
        let at = format!("{place}[{index}]");
        let user = user.as_object().ok_or_else(|| Unusable::new(&at, "must be an object"))?;
        let id = required_text(user, "id", &format!("{at}.id"))?;
        // The same user in the same import is always the same message.
        let identity = match text(event, "id") {
            Some(import) => format!("{import}#{id}"),
            None => json::encode(user),
        };
        Ok(event_for(IMPORT, event, Some(user), Identity::Event(identity.into()), Subject::User(id.into())))
    };
    Ok(users.iter().enumerate().map(one).map(|read| read.map_err(Ignored::Unusable)).collect())
}
