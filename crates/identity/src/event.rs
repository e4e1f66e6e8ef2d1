//! Events that the rules can be applied to, as a provider's file reads them from a body.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{
    error::{Ignored, Unusable},
    members::required_text,
    time::Time,
};

/// One event of a provider.
#[derive(Debug)]
pub struct Event<'a> {
    /// Its type, under which the mapping has its rules.
    pub event_type: Cow<'a, str>,
    /// The provider's own words for it: the name of a track whose rule gives none.
    pub name: Cow<'a, str>,
    /// The mark that tells it from every other one.
    pub identity: Identity<'a>,
    /// The user, or the thing, that it is about.
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
    pub(crate) fn new(
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

/// An event as it was read, or why there is none to make of this part of a body.
pub type ReadEvent<'a> = Result<Event<'a>, Ignored>;

/// The event type of a login of a user who signed up before.
pub const LOGIN: &str = "login";

/// The event type of a user's first login.
pub const SIGN_UP: &str = "signup";

/// The user, or the thing, that an event is about.
#[derive(Clone, Debug)]
pub enum Subject<'a> {
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
    pub(crate) fn user(object: &'a Map<String, Value>, name: &str, path: &str) -> Self {
        match required_text(object, name, path) {
            Ok(id) => Self::User(id.into()),
            Err(unusable) => Self::Unknown(unusable),
        }
    }

    /// The user's id.
    pub fn user_id(&self) -> Result<&str, Unusable> {
        match self {
            Self::User(id) => Ok(id),
            Self::Anonymous(_) => Err(Unusable::new("user", "is missing")),
            Self::Unknown(unusable) => Err(unusable.clone()),
        }
    }
}

/// The mark that tells one event of a provider from another.
#[derive(Clone, Debug)]
pub enum Identity<'a> {
    /// The provider's own id of the event.
    Event(Cow<'a, str>),
    /// The whole body, for want of an id: what is sent again unchanged is the same event.
    Body(&'a [u8]),
}
