//! The description of a provider, as data: how it authenticates its requests and how its bodies are read.

use std::time::Duration;

use jiff::Timestamp;
use segment::json::{self, JsonError};
use serde_json::{Map, Value};

use crate::{
    credentials,
    declaration::Declaration,
    error::MapError,
    event::{Event, ReadEvent},
    path::Path,
    signature::{Signature, StaticProof},
};

/// Everything that Segue knows about a provider, outside the provider's module.
#[derive(Debug)]
pub struct Provider {
    /// The part of the URL after `/identity/`, and the name of its table in a mapping.
    pub route: &'static str,
    /// Its member of the identity secret, and the beginning of its message ids. Several routes may share one.
    pub name: &'static str,
    /// The provider's spelling of its name.
    pub title: &'static str,
    /// How its events arrive.
    pub entry_point: EntryPoint,
    /// How it signs a body, if it does.
    pub signature: Option<Signature>,
    /// How it proves itself if it does not sign.
    pub static_proof: StaticProof,
    /// Whether it creates the signing secret itself. A secret that is created elsewhere is then of no use.
    pub makes_its_secret: bool,
    /// The header of the GET request with which it verifies an address before it sends events there.
    pub challenge: Option<&'static str>,
    /// The longest time for publishing, and for a login the longest time in all. It is shorter than the time
    /// that the provider waits for an answer.
    pub deadline: Duration,
    /// Whether a 4xx loses the event permanently. Segue then never answers 4xx for a temporary problem.
    pub refusals_are_final: bool,
    /// The answer to a request whose messages are stored.
    pub answer: Answer,
    /// How its bodies are read.
    pub(crate) reader: Reader,
    /// The event types that the provider documents beside those with a built-in rule, one a line. A tab may
    /// be followed by more text.
    pub(crate) event_types: &'static str,
    /// The paths of every field that this context can have.
    pub(crate) context_paths: &'static [&'static str],
    /// The path of the user in the event.
    pub(crate) user_at: &'static [&'static str],
    /// The event types that describe an existing user. The first one for which the mapping makes an identify
    /// is used. Empty if users are not backfilled.
    pub(crate) existing: &'static [&'static str],
    /// The members with the user's last-modified time. The first one that holds a time is used.
    pub(crate) changed_at: &'static [&'static str],
    /// Members of the user that change without any action of a person. A change of these alone is no update.
    pub(crate) bookkeeping: &'static [&'static str],
    /// Members of the user and of its profile that are free-form: names in them have no fixed meaning, and
    /// any of them may be the name of a credential.
    pub(crate) free_form: &'static [&'static str],
}

impl Provider {
    /// Removes credentials from the free-form members of a profile. The other members are only those that the
    /// provider's module lists.
    pub(crate) fn strip(&self, profile: &mut Map<String, Value>) {
        for (name, value) in profile {
            if self.free_form.contains(&name.as_str()) {
                credentials::strip(value);
            } else {
                self.strip_value(value);
            }
        }
    }

    fn strip_value(&self, value: &mut Value) {
        match value {
            Value::Object(object) => self.strip(object),
            Value::Array(items) => items.iter_mut().for_each(|item| self.strip_value(item)),
            _ => {}
        }
    }
}

/// The answer to a request whose messages are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200 and the number of messages, as JSON.
    Accepted,
    /// This status from 200 to 204, and this body, which is JSON.
    Fixed {
        /// The status.
        status: u16,
        /// The body. Empty with 204.
        body: &'static str,
    },
}

/// How a provider's bodies are read.
#[derive(Debug)]
pub(crate) enum Reader {
    /// By functions of the provider's module.
    Code(Code),
    /// As the provider's file says.
    Declaration(&'static Declaration),
}

/// The functions of a provider's module.
#[derive(Debug)]
pub(crate) struct Code {
    /// Reads a body.
    pub parse: fn(&[u8]) -> Result<Value, JsonError>,
    /// Returns the events of a body. The second argument is the body as bytes.
    pub events: for<'a> fn(&'a Value, &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError>,
    /// Whether the list of event types may lack one of this form.
    pub may_be_new: fn(&str) -> bool,
    /// Returns the person's device, as far as [`Event::body`] shows it.
    pub context: fn(&Map<String, Value>) -> Map<String, Value>,
    /// Returns the user in Segment's names, made from [`Event::user`]. It holds only the members that the
    /// provider's module lists, and no time that is implausible at the given one.
    pub profile: fn(&Map<String, Value>, Timestamp) -> Map<String, Value>,
    /// Returns the fields within a member of the profile. Most members are plain and have none.
    pub nested: fn(&str) -> Vec<&'static str>,
}

/// A module that reads nothing.
pub(crate) const CODE: Code = Code {
    parse: json::parse,
    events: |_, _| Ok(Vec::new()),
    may_be_new: |_| false,
    context: |_| Map::new(),
    profile: |_, _| Map::new(),
    nested: |_| Vec::new(),
};

impl Provider {
    /// Whether a module reads its bodies, and no file.
    pub(crate) fn is_code(&self) -> bool {
        matches!(self.reader, Reader::Code(_))
    }

    /// Reads a body as JSON.
    pub(crate) fn parse(&self, body: &[u8]) -> Result<Value, MapError> {
        match &self.reader {
            Reader::Code(code) => Ok((code.parse)(body)?),
            Reader::Declaration(declaration) => declaration.parse(body),
        }
    }

    /// Returns a body without the members that its file says are never read, to show it to people, or why it
    /// cannot be read. Returns `None` if no file declares the provider.
    pub fn without_never_read(&self, body: &[u8]) -> Option<Result<Value, MapError>> {
        match &self.reader {
            Reader::Code(_) => None,
            Reader::Declaration(declaration) => Some(declaration.parse(body)),
        }
    }

    /// Returns the events of a body.
    pub(crate) fn events<'a>(
        &self,
        document: &'a Value,
        body: &'a [u8],
    ) -> Result<Vec<ReadEvent<'a>>, MapError> {
        match &self.reader {
            Reader::Code(code) => (code.events)(document, body),
            Reader::Declaration(declaration) => declaration.events(document, body),
        }
    }

    /// Returns the person's device.
    pub(crate) fn context(&self, event: &Event<'_>) -> Map<String, Value> {
        match &self.reader {
            Reader::Code(code) => (code.context)(event.body),
            Reader::Declaration(declaration) => declaration.context(event),
        }
    }

    /// Returns the profile of `user`, who is [`Event::user`] or [`Event::previous`].
    pub(crate) fn profile(
        &self,
        event: &Event<'_>,
        user: &Map<String, Value>,
        now: Timestamp,
    ) -> Map<String, Value> {
        match &self.reader {
            Reader::Code(code) => (code.profile)(user, now),
            Reader::Declaration(declaration) => declaration.profile(event, user, now),
        }
    }

    /// Returns the fields within a member of the profile.
    pub(crate) fn nested(&self, member: &str) -> Vec<&str> {
        match &self.reader {
            Reader::Code(code) => (code.nested)(member),
            Reader::Declaration(declaration) => declaration.nested(member),
        }
    }

    /// Whether a path of a rule leads to a member that is never read.
    pub(crate) fn never_reads(&self, path: &Path) -> bool {
        match &self.reader {
            Reader::Code(_) => false,
            Reader::Declaration(declaration) => declaration.never_reads(path),
        }
    }

    /// Returns the path of the user in an event.
    pub(crate) fn user_at(&self, event: &Event<'_>) -> Vec<&str> {
        match &self.reader {
            Reader::Code(_) => self.user_at.to_vec(),
            Reader::Declaration(declaration) => declaration.user_at(event),
        }
    }

    /// Returns the members that the profile can have, if a file lists them.
    pub(crate) fn profile_members(&self) -> Option<Vec<&str>> {
        match &self.reader {
            Reader::Code(_) => None,
            Reader::Declaration(declaration) => Some(declaration.profile_members()),
        }
    }

    /// Whether the list of event types may lack this one.
    pub(crate) fn may_be_new(&self, event_type: &str) -> bool {
        match &self.reader {
            Reader::Code(code) => (code.may_be_new)(event_type),
            Reader::Declaration(declaration) => declaration.may_be_new(event_type),
        }
    }
}

/// How a provider's events arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryPoint {
    /// Webhooks.
    Webhook,
    /// Logins, for each of which somebody waits. The ledger finds the first login of a user.
    Login,
    /// A function that the provider invokes itself. There is no address.
    Invoke,
}

/// The most events in one body. The largest batch of a log stream, 6 MB, has about 4,000.
pub(crate) const MAX_EVENTS: usize = 10_000;

/// The values that most providers share.
pub(crate) const WEBHOOK: Provider = Provider {
    route: "",
    name: "",
    title: "",
    entry_point: EntryPoint::Webhook,
    signature: None,
    static_proof: StaticProof::Bearer,
    makes_its_secret: false,
    challenge: None,
    deadline: Duration::from_secs(5),
    refusals_are_final: false,
    answer: Answer::Accepted,
    reader: Reader::Code(CODE),
    event_types: "",
    context_paths: &["active", "ip", "userAgent"],
    user_at: &[],
    existing: &[],
    changed_at: &[],
    bookkeeping: &[],
    free_form: &[],
};
