//! A provider that a file declares: how its bodies are read. `docs/provider-files.md` describes the file.

mod expression;
mod grammar;
mod jwt;
mod proof;
mod read;
mod types;

use std::{net::IpAddr, sync::LazyLock};

use jiff::Timestamp;
use segment::json::{self, JsonError};
use serde_json::{Map, Value};

use self::{
    expression::{Expression, Object, Scope},
    types::Types,
};
pub(crate) use self::{
    grammar::{EXPRESSIONS, PROVIDER},
    read::{declares, keys, provider},
};
use crate::{
    error::{Ignored, MapError, Unusable},
    event::{Event, Identity, ReadEvent, Subject},
    path::{self, Path},
    provider::MAX_EVENTS,
    providers::is_library,
    time::Time,
};

/// How the bodies of a declared provider are read.
#[derive(Debug)]
pub(crate) struct Declaration {
    /// Whether a single event that cannot be used is refused.
    refusable: bool,
    /// Whether a body is a JWT.
    whole_body: bool,
    /// The members that lead to the list of events. Without them, a body is one event, or an array of them.
    list: Option<&'static [&'static str]>,
    /// Members of an event that hold JSON as a text.
    json: Vec<Path>,
    /// Members of an event that are removed before anything reads it.
    never: Vec<Path>,
    event_type: Expression,
    id: Option<Expression>,
    time: Option<Expression>,
    tenant: Option<Path>,
    /// Whom an event is about. The first one with a fitting type counts.
    subjects: Vec<SubjectRule>,
    context: ContextRules,
    /// The members of the profile.
    profile: Vec<(String, Expression)>,
    /// The forms of event types that the provider may add.
    may_be_new: Types,
}

/// Whom the events of some types are about.
#[derive(Debug)]
struct SubjectRule {
    types: Types,
    user: Option<Path>,
    previous: Option<Path>,
    group: Option<Path>,
    user_id: Option<Expression>,
    anonymous_id: Option<Expression>,
    group_id: Option<Expression>,
}

/// Whose device a request came from.
#[derive(Debug)]
struct ContextRules {
    /// The types of events that the person causes on the own device.
    own: Types,
    /// The types of events that somebody else causes.
    inactive: Types,
    fields: Vec<(String, Expression)>,
}

/// The user of an event that has none. Without a user, no profile would be made.
static NOBODY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

impl Declaration {
    /// Reads a body.
    pub fn parse(&self, body: &[u8]) -> Result<Value, MapError> {
        let claims;
        let mut text = body;
        // A body by hand is the claims alone. Over HTTP, its proof has been checked before.
        if self.whole_body && !body.trim_ascii_start().starts_with(b"{") {
            claims = jwt::claims(body)?;
            text = &claims;
        }
        let is_array = text.trim_ascii_start().starts_with(b"[");
        let mut document = match self.list {
            Some(list) => json::parse_items(text, list, MAX_EVENTS)?.0,
            None if is_array => json::parse_items(text, &[], MAX_EVENTS)?.0,
            None => json::parse(text)?,
        };
        if !self.json.is_empty() || !self.never.is_empty() {
            match list_of(&mut document, self.list) {
                Some(events) => events.iter_mut().for_each(|event| self.prepare(event)),
                None => self.prepare(&mut document),
            }
        }
        Ok(document)
    }

    /// Reads texts that hold JSON, and removes the members that are never read.
    fn prepare(&self, event: &mut Value) {
        for path in &self.json {
            let Some(member) = path::find_mut(event, &path.segments) else { continue };
            let read = member.as_str().and_then(|text| json::parse(text.as_bytes()).ok());
            if let Some(value) = read {
                *member = value;
            }
        }
        for path in &self.never {
            let Some((last, parents)) = path.segments.split_last() else { continue };
            if let Some(Value::Object(parent)) = path::find_mut(event, parents) {
                parent.shift_remove(last);
            }
        }
    }

    /// Returns the events of a body.
    pub fn events<'a>(
        &'static self,
        document: &'a Value,
        body: &'a [u8],
    ) -> Result<Vec<ReadEvent<'a>>, MapError> {
        let (events, at) = match (document, self.list) {
            (Value::Array(events), None) => (events, String::new()),
            (_, None) => {
                let event = document.as_object().ok_or(JsonError::NotAnObject)?;
                let read = self.event(event, "", Identity::Body(body), self.refusable);
                return match read {
                    Err(unusable) if self.refusable => Err(unusable.into()),
                    read => Ok(vec![read.map_err(Ignored::Unusable)]),
                };
            }
            (_, Some(list)) => {
                let found = list.iter().try_fold(document, |value, name| value.get(*name));
                let at = list.join(".");
                let events = found.and_then(Value::as_array);
                (events.ok_or_else(|| Unusable::new(&at, "must be an array"))?, at)
            }
        };
        let read = events.iter().enumerate().map(|(index, event)| {
            let at = format!("{at}[{index}]");
            let object = event.as_object().ok_or_else(|| Unusable::new(&at, "must be an object"))?;
            // An event without an id is known by its own text.
            let identity = Identity::Event(json::encode(object).into());
            self.event(object, &format!("{at}."), identity, false)
        });
        // One unusable event must not cost the others.
        Ok(read.map(|read| read.map_err(Ignored::Unusable)).collect())
    }

    fn event<'a>(
        &'static self,
        event: &'a Map<String, Value>,
        at: &str,
        otherwise: Identity<'a>,
        refusable: bool,
    ) -> Result<Event<'a>, Unusable> {
        let scope = Scope::of(event);
        let event_type = self.event_type.required(&scope, at)?;
        let Some(rule) = self.rule(&event_type) else {
            // Nothing says whom it is about. A rule of the mapping may still name the user.
            let subject = Subject::Unknown(Unusable::new("the event", "is of a type without a [[subject]]"));
            return Ok(Event { identity: otherwise, refusable, ..Event::new(event_type, event, subject) });
        };
        let object = |path: &'static Option<Path>| Object::at(path.as_ref(), event);
        let scope = Scope { user: object(&rule.user), group: object(&rule.group), ..scope };
        let identity = self.id.as_ref().and_then(|id| id.text(&scope)).map_or(otherwise, Identity::Event);
        let group_id = rule.group_id.as_ref().and_then(|id| id.text(&scope));
        Ok(Event {
            identity,
            group_id,
            time: self.time.as_ref().map_or(Time::Missing, |time| time.time(&scope)),
            tenant: self.tenant.as_ref().and_then(|path| path.find(event, &NOBODY)?.as_str()),
            user: Some(scope.user.value.unwrap_or(&NOBODY)),
            previous: object(&rule.previous).value,
            refusable,
            ..Event::new(event_type, event, rule.subject(&scope, at))
        })
    }

    fn rule(&self, event_type: &str) -> Option<&SubjectRule> {
        self.subjects.iter().find(|rule| rule.types.fit(event_type))
    }

    /// Returns the device of the person.
    pub fn context(&self, event: &Event<'_>) -> Map<String, Value> {
        let rules = &self.context;
        let scope = Scope::of(event.body);
        let text = |(name, expression): &(String, Expression)| {
            Some((name.clone(), expression.text(&scope)?.into_owned()))
        };
        let fields: Vec<(String, String)> = rules.fields.iter().filter_map(text).collect();
        let by_library = fields.iter().any(|(name, value)| name == "userAgent" && is_library(value));
        if by_library || rules.inactive.fit(&event.event_type) {
            // In Segment, `active: false` means "update the traits, but this person was not here".
            return [("active".to_owned(), false.into())].into_iter().collect();
        }
        let own = rules.own.fit(&event.event_type);
        let fields =
            fields.into_iter().filter(|(name, value)| own && (name != "ip" || is_of_a_person(value)));
        fields.map(|(name, value)| (name, value.into())).collect()
    }

    /// Returns the user in Segment's names.
    pub fn profile(
        &self,
        event: &Event<'_>,
        user: &Map<String, Value>,
        now: Timestamp,
    ) -> Map<String, Value> {
        let group = self.rule(&event.event_type).and_then(|rule| rule.group.as_ref());
        let scope = Scope {
            event: event.body,
            user: Object { value: Some(user), at: None },
            group: Object::at(group, event.body),
            now: Some(now),
        };
        expression::fields(&self.profile, &scope)
    }

    /// Returns the fields within a member of the profile.
    pub fn nested(&self, member: &str) -> Vec<&str> {
        let found = self.profile.iter().find(|(name, _)| name == member);
        found.map_or_else(Vec::new, |(_, expression)| expression.names())
    }

    /// Whether the list of event types may lack this one.
    pub fn may_be_new(&self, event_type: &str) -> bool {
        self.may_be_new.fit(event_type)
    }

    /// Whether a path of a rule leads to a member that is never read.
    pub fn never_reads(&self, path: &Path) -> bool {
        self.never.iter().any(|never| never.root == path.root && path.segments.starts_with(&never.segments))
    }
}

impl SubjectRule {
    fn subject<'a>(&'static self, scope: &Scope<'a>, at: &str) -> Subject<'a> {
        let text = |id: &'static Option<Expression>| id.as_ref().and_then(|id| id.text(scope));
        if let Some(id) = text(&self.user_id) {
            return Subject::User(id);
        }
        if let Some(id) = text(&self.anonymous_id) {
            return Subject::Anonymous(id);
        }
        let id = self.user_id.as_ref().or(self.anonymous_id.as_ref());
        let missing = id.map(|id| id.required(scope, at));
        match missing {
            Some(Err(unusable)) => Subject::Unknown(unusable),
            _ => Subject::Unknown(Unusable::new("the event", "names no user")),
        }
    }
}

/// Returns the list of events in a body, if it has one.
fn list_of<'v>(document: &'v mut Value, list: Option<&[&str]>) -> Option<&'v mut Vec<Value>> {
    let found = list.unwrap_or_default().iter().try_fold(document, |value, name| value.get_mut(*name))?;
    found.as_array_mut()
}

/// Whether an address can be that of a person: a loopback address belongs to a server, and 0.0.0.0 to nobody.
fn is_of_a_person(ip: &str) -> bool {
    ip.trim().parse::<IpAddr>().is_ok_and(|ip| {
        let ip = ip.to_canonical();
        !ip.is_loopback() && !ip.is_unspecified()
    })
}
