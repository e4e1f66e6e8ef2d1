//! Reads the events that an Amazon Cognito user pool passes to the function `cognito-trigger`.
//!
//! It is not a webhook and has no address. The event has neither an id nor a time, so the function adds a
//! member before mapping:
//!
//! ```json
//! {"triggerSource": "…", "userName": "…", "request": {…}, "invocation": {"id": "<request id>", "time": "<ISO 8601>"}}
//! ```
//!
//! Attributes are texts, including those that are true or false. The profile has the standard ones. Your own
//! rules can use the custom ones: `event.request.userAttributes."custom:plan"`.

use jiff::Timestamp;
use segment::json::JsonError;
use serde_json::{Map, Value};

use crate::{
    error::{MapError, Unusable},
    event::{Event, Identity, ReadEvent, Subject},
    members::{object, renamed, required_text, text},
    provider::{CODE, Code, EntryPoint, Provider, Reader, WEBHOOK},
    time::Time,
};

pub(super) const PROVIDER: Provider = Provider {
    route: "cognito",
    name: "cognito",
    title: "Amazon Cognito",
    entry_point: EntryPoint::Invoke,
    reader: Reader::Code(Code { events, profile, ..CODE }),
    event_types: include_str!("cognito/event_types.txt"),
    ..WEBHOOK
};

/// A user signs up once, so the user identifies this event. When Cognito invokes the function again because
/// it got no answer, the request id differs.
const SIGNED_UP: &str = "PostConfirmation_ConfirmSignUp";

fn events<'a>(document: &'a Value, body: &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError> {
    let event = document.as_object().ok_or(JsonError::NotAnObject)?;
    let event_type = required_text(event, "triggerSource", "triggerSource")?;
    let invocation = object(event, "invocation");
    let subject = match attributes(event) {
        Some(attributes) => Subject::user(attributes, "sub", "request.userAttributes.sub"),
        None => Subject::Unknown(Unusable::new("request.userAttributes", "must be an object")),
    };
    let id = match &subject {
        Subject::User(user) if event_type == SIGNED_UP => Some(user.clone()),
        _ => invocation.and_then(|invocation| text(invocation, "id")).map(Into::into),
    };
    Ok(vec![Ok(Event {
        identity: id.map_or(Identity::Body(body), Identity::Event),
        time: Time::read(invocation.and_then(|invocation| invocation.get("time"))),
        // The user name is outside the attributes.
        user: Some(event),
        ..Event::new(event_type, event, subject)
    })])
}

fn attributes(event: &Map<String, Value>) -> Option<&Map<String, Value>> {
    object(object(event, "request")?, "userAttributes")
}

const TEXTS: &[(&str, &str)] = &[
    ("email", "email"),
    ("phone_number", "phone"),
    ("name", "name"),
    ("given_name", "firstName"),
    ("family_name", "lastName"),
    ("picture", "avatar"),
    ("locale", "locale"),
];

const FLAGS: [(&str, &str); 2] =
    [("email_verified", "emailVerified"), ("phone_number_verified", "phoneVerified")];

fn profile(event: &Map<String, Value>, _: Timestamp) -> Map<String, Value> {
    let Some(attributes) = attributes(event) else { return Map::new() };
    let mut profile = renamed(attributes, TEXTS);
    for (name, to) in FLAGS {
        if let Some(flag) = attributes.get(name).and_then(flag) {
            profile.insert(to.to_owned(), flag.into());
        }
    }
    // Where users log in with an address, Cognito uses the id as the user name.
    if let Some(name) = text(event, "userName").filter(|name| text(attributes, "sub") != Some(name)) {
        profile.insert("username".to_owned(), name.into());
    }
    profile
}

fn flag(value: &Value) -> Option<bool> {
    match value.as_str() {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => value.as_bool(),
    }
}
