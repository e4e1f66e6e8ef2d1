//! The events of a body, in the form that the rules use. Each provider's module reads them.

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
    /// Its type. The mapping has rules for each type.
    pub event_type: Cow<'a, str>,
    /// The provider's name for it. A track has this name if its rule gives none.
    pub name: Cow<'a, str>,
    /// The value that identifies it among all events.
    pub identity: Identity<'a>,
    /// The user or thing that it is about.
    pub subject: Subject<'a>,
    /// The group that it is about.
    pub group_id: Option<Cow<'a, str>>,
    /// When it happened.
    pub time: Time,
    /// The provider's tenant, which may have a separate write key.
    pub tenant: Option<&'a str>,
    /// The event as it was received. Paths that begin with `event.` lead into it.
    pub body: &'a Map<String, Value>,
    /// The user in the provider's form. The profile is made from it.
    pub user: Option<&'a Map<String, Value>>,
    /// The same user before an update.
    pub previous: Option<&'a Map<String, Value>>,
    /// Whether an unusable event may be answered with 422. In a batch a refusal would affect other events,
    /// and for some providers it would fail the user's own action. The event is then counted and left out
    /// instead.
    pub refusable: bool,
}

impl<'a> Event<'a> {
    /// Returns an event of this type without any details.
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

/// An event, or the reason why this part of a body makes none.
pub type ReadEvent<'a> = Result<Event<'a>, Ignored>;

/// The event type of a login of a user who signed up before.
pub const LOGIN: &str = "login";

/// The event type of a user's first login.
pub const SIGN_UP: &str = "signup";

/// The user or thing that an event is about.
#[derive(Clone, Debug)]
pub enum Subject<'a> {
    /// The user with this id.
    User(Cow<'a, str>),
    /// No user, but a thing with an id, such as an organization. Its id is sent as the anonymous id, because
    /// Segment requires an id in every message.
    Anonymous(Cow<'a, str>),
    /// The event names nobody. Holds the reason.
    Unknown(Unusable),
}

impl<'a> Subject<'a> {
    /// Returns the user whose id is the text at `name`. `path` is its path in errors.
    pub(crate) fn user(object: &'a Map<String, Value>, name: &str, path: &str) -> Self {
        match required_text(object, name, path) {
            Ok(id) => Self::User(id.into()),
            Err(unusable) => Self::Unknown(unusable),
        }
    }

    /// Returns the user's id.
    pub fn user_id(&self) -> Result<&str, Unusable> {
        match self {
            Self::User(id) => Ok(id),
            Self::Anonymous(_) => Err(Unusable::new("user", "is missing")),
            Self::Unknown(unusable) => Err(unusable.clone()),
        }
    }
}

/// The value that identifies an event of a provider.
#[derive(Clone, Debug)]
pub enum Identity<'a> {
    /// The provider's id of the event.
    Event(Cow<'a, str>),
    /// The whole body, if there is no id. The same body sent again is the same event.
    Body(&'a [u8]),
}
