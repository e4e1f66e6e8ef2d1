//! What a provider's file makes of a body: events that the rules can be applied to.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Ignored, Unusable, time::Time};

/// One event of a provider.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    /// Its type, under which the mapping has its rules.
    pub event_type: Cow<'a, str>,
    /// The provider's own words for it: the name of a track whose rule gives none.
    pub name: Cow<'a, str>,
    /// What tells it from every other one.
    pub identity: Identity<'a>,
    /// Whom it is about.
    pub subject: Subject<'a>,
    /// The group that it is about.
    pub group_id: Option<Cow<'a, str>>,
    /// When it happened.
    pub time: Time,
    /// The provider's tenant, which may have a write key of its own.
    pub tenant: Option<&'a str>,
    /// The event as it came: what `event.` paths lead into.
    pub body: &'a Map<String, Value>,
    /// The user as the provider describes one: what the profile is made of.
    pub user: Option<&'a Map<String, Value>>,
    /// The same user before an update.
    pub previous: Option<&'a Map<String, Value>>,
    /// Whether an answer of 422 is right when it cannot be used. In a batch it would spoil the others, and for some
    /// providers it would fail the user's own action: then it is counted and left out.
    pub refusable: bool,
}

impl<'a> Event<'a> {
    /// An event of this type with nothing known of it yet.
    pub fn new(
        event_type: impl Into<Cow<'a, str>>,
        body: &'a Map<String, Value>,
        subject: Subject<'a>,
    ) -> Self {
        let event_type = event_type.into();
        Self {
            name: event_type.clone(),
            event_type,
            identity: Identity::Body(&[]),
            subject,
            group_id: None,
            time: Time::Missing,
            tenant: None,
            body,
            user: None,
            previous: None,
            refusable: true,
        }
    }
}

/// An event, or why there is none to make of this part of a body.
pub(crate) type Read<'a> = Result<Event<'a>, Ignored>;

/// Whom an event is about.
#[derive(Clone, Debug)]
pub(crate) enum Subject<'a> {
    /// A user of this id.
    User(Cow<'a, str>),
    /// No user, but something with an id of its own, such as an organization. It stands in for the user that
    /// Segment wants for every message.
    Anonymous(Cow<'a, str>),
    /// The event does not say.
    Unknown(Unusable),
}

impl<'a> Subject<'a> {
    /// The user whose id is the text at `name`. `path` is where that is, for errors.
    pub fn user(object: &'a Map<String, Value>, name: &str, path: &str) -> Self {
        match required_text(object, name, path) {
            Ok(id) => Self::User(id.into()),
            Err(unusable) => Self::Unknown(unusable),
        }
    }
}

/// What tells one event of a provider from another.
#[derive(Clone, Debug)]
pub(crate) enum Identity<'a> {
    /// The provider's own id of the event.
    Event(Cow<'a, str>),
    /// The whole body, for want of an id: what is sent again unchanged is the same event.
    Body(&'a [u8]),
}

/// A member that is a text with something in it.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

/// A member that is an object.
pub(crate) fn object<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    object.get(name)?.as_object()
}

/// As [`object`], but an object has to be there. `path` is where, for the error.
pub(crate) fn required_object<'a>(
    object: &'a Map<String, Value>,
    name: &str,
    path: &str,
) -> Result<&'a Map<String, Value>, Unusable> {
    match object.get(name) {
        Some(Value::Object(found)) => Ok(found),
        Some(Value::Null) | None => Err(Unusable::new(path, "is missing")),
        Some(_) => Err(Unusable::new(path, "must be an object")),
    }
}

/// As [`text`], but a text has to be there. `path` is where, for the error.
pub(crate) fn required_text<'a>(
    object: &'a Map<String, Value>,
    name: &str,
    path: &str,
) -> Result<&'a str, Unusable> {
    let problem = match object.get(name) {
        Some(Value::String(text)) if text.trim().is_empty() => "must not be empty",
        Some(Value::String(text)) => return Ok(text),
        Some(Value::Null) | None => "is missing",
        Some(_) => "must be a string",
    };
    Err(Unusable::new(path, problem))
}

/// The texts of an object under new names.
pub(crate) fn renamed(from: &Map<String, Value>, names: &[(&str, &str)]) -> Map<String, Value> {
    let one = |(name, to): &(&str, &str)| Some(((*to).to_owned(), text(from, name)?.into()));
    names.iter().filter_map(one).collect()
}
