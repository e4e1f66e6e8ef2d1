//! FusionAuth: what its events look like.
//!
//! The body is one event, `{"event": {…}}`; some of FusionAuth's own examples lack the wrapper, so both are
//! taken. Only `id` and `type` are in every event: everything else is optional. The documented misspellings
//! (`user.two-factor.failed.attempt`, `.complete` events without `.complete`) are all of types that have no rule,
//! and end as those do.

mod caller;
mod traits;

use segment::timestamp;
use serde_json::{Map, Value};

use super::{Provider, WEBHOOK};
use crate::{
    authentication::{BodyHashToken, Signature},
    mapping::{
        MapError, Unusable,
        event::{Event, Identity, Read, Subject, object, required_text, text},
    },
};

pub(super) const PROVIDER: Provider = Provider {
    route: "fusionauth",
    name: "fusionauth",
    signature: Some(Signature::BodyHash(BodyHashToken {
        header: "x-fusionauth-signature-jwt",
        claim: "request_body_sha256",
    })),
    events,
    event_types: include_str!("fusionauth/event_types.txt"),
    context: caller::context,
    context_paths: caller::CONTEXT,
    profile: traits::profile,
    nested: traits::nested,
    user_at: &["user"],
    existing: &["user.create.complete", "user.update.complete"],
    changed_at: &["lastUpdateInstant", "insertInstant"],
    // FusionAuth sends `user.update` at every login through an external provider, and each login moves the instants
    // of the login and of the update: if they counted, no two versions would ever be the same.
    bookkeeping: &["lastLoginInstant", "lastUpdateInstant"],
    free_form: &["data"],
    ..WEBHOOK
};

/// Events for which FusionAuth may be set to fail the user's action when the webhook is refused: then a body that
/// cannot be used is left out rather than refused, for a refusal would keep the user from logging in.
const TRANSACTIONAL: [&str; 2] = ["user.login.success", "user.deactivate"];

fn events<'a>(document: &'a Value, body: &'a [u8]) -> Result<Vec<Read<'a>>, MapError> {
    let Value::Object(envelope) = document else { return Err(segment::json::JsonError::NotAnObject.into()) };
    let (event, prefix) = match envelope.get("event") {
        Some(Value::Object(event)) => (event, "event."),
        Some(_) => return Err(Unusable::new("event", "must be an object").into()),
        None => (envelope, ""),
    };
    let event_type = required_text(event, "type", &format!("{prefix}type"))?;
    Ok(vec![Ok(Event {
        identity: text(event, "id").map_or(Identity::Body(body), |id| Identity::Event(id.into())),
        timestamp: event.get("createInstant").and_then(timestamp::parse),
        tenant: text(event, "tenantId").or_else(|| text(object(event, "user")?, "tenantId")),
        user: object(event, "user"),
        previous: object(event, "original"),
        refusable: !TRANSACTIONAL.contains(&event_type),
        ..Event::new(event_type, event, subject(event, prefix))
    })])
}

fn subject<'a>(event: &'a Map<String, Value>, prefix: &str) -> Subject<'a> {
    match event.get("user") {
        Some(Value::Object(user)) => Subject::user(user, "id", &format!("{prefix}user.id")),
        Some(_) => Subject::Unknown(Unusable::new(format!("{prefix}user"), "must be an object")),
        None => Subject::Unknown(Unusable::new(format!("{prefix}user"), "is missing")),
    }
}
