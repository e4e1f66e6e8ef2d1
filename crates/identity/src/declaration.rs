//! A provider that a file declares: how its bodies are read. `docs/provider-files.md` describes the file.

mod expression;
mod grammar;
mod jwt;
mod proof;
mod read;
mod types;

use std::{collections::HashMap, net::IpAddr, ptr, sync::LazyLock};

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
    mappings::Condition,
    path::Path,
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
    /// The members that lead to the list of events. Empty if the body itself is the list. Without a list, a body
    /// is one event.
    list: Option<&'static [&'static str]>,
    /// Members of an event that hold JSON as a text.
    json: Vec<Path>,
    /// Members of an event that are removed before anything reads it.
    never: Vec<Path>,
    event_type: Expression,
    id: Option<Expression>,
    time: Option<Expression>,
    tenant: Option<Path>,
    /// The person or the organization that an event is about. The first entry with a fitting type counts.
    subjects: Vec<SubjectRule>,
    context: ContextRules,
    /// The members of the profile.
    profile: Vec<(String, Expression)>,
    /// The forms of event types that the provider may add.
    may_be_new: Types,
}

/// The person or the organization that events of some types are about.
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
    /// The conditions under which somebody else caused the event. Without any, they do not hold.
    inactive_when: Vec<Condition>,
    fields: Vec<(String, Expression)>,
}

impl Default for ContextRules {
    fn default() -> Self {
        Self { own: Types::All, inactive: Types::NONE, inactive_when: Vec::new(), fields: Vec::new() }
    }
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
        let mut document = match self.list {
            Some(list) => json::parse_items(text, list, MAX_EVENTS)?.0,
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
            at_each(event, &path.segments, &mut |parent, name| {
                let Some(Value::String(text)) = parent.get(name) else { return };
                // A text that cannot be read may hold a member that is never read.
                let read = json::parse(text.as_bytes()).ok();
                match read.filter(|value| value.is_object() || value.is_array()) {
                    Some(value) => parent.insert(name.to_owned(), value),
                    None => parent.shift_remove(name),
                };
            });
        }
        for path in &self.never {
            at_each(event, &path.segments, &mut |parent, name| drop(parent.shift_remove(name)));
        }
    }

    /// Returns the events of a body.
    pub fn events<'a>(
        &'static self,
        document: &'a Value,
        body: &'a [u8],
    ) -> Result<Vec<ReadEvent<'a>>, MapError> {
        match self.read(document, body) {
            // The provider would fail the person's own action.
            Err(MapError::Unusable(unusable)) if !self.refusable => {
                Ok(vec![Err(Ignored::Unusable(unusable))])
            }
            Err(MapError::Json(JsonError::NotAnObject)) if !self.refusable => {
                Ok(vec![Err(Ignored::Unusable(Unusable::new("the body", "must be an object")))])
            }
            read => read,
        }
    }

    fn read<'a>(&'static self, document: &'a Value, body: &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError> {
        let (events, at) = match (document, self.list) {
            (_, None) => {
                let event = document.as_object().ok_or(JsonError::NotAnObject)?;
                // A JWT is signed anew each time, so its claims identify the event.
                let own_text = || match self.whole_body {
                    true => Identity::Event(json::encode(event).into()),
                    false => Identity::Body(body),
                };
                return Ok(vec![Ok(self.event(event, "", own_text, self.refusable)?)]);
            }
            (_, Some(list)) => {
                let found = list.iter().try_fold(document, |value, name| value.get(*name));
                let at = list.join(".");
                let place = if list.is_empty() { "the body" } else { &at };
                let events = found.and_then(Value::as_array);
                (events.ok_or_else(|| Unusable::new(place, "must be an array"))?, at)
            }
        };
        let mut seen: HashMap<String, usize> = HashMap::new();
        let read = events.iter().enumerate().map(|(index, event)| {
            let at = format!("{at}[{index}]");
            let object = event.as_object().ok_or_else(|| Unusable::new(&at, "must be an object"))?;
            // An event without an id is known by its own text. Two may differ in a member that is never read.
            let own_text = || {
                let text = json::encode(object);
                let nth = seen.entry(text.clone()).and_modify(|nth| *nth += 1).or_default();
                Identity::Event(if *nth == 0 { text } else { format!("{text}{nth}") }.into())
            };
            self.event(object, &format!("{at}."), own_text, false)
        });
        // One unusable event must not cost the others.
        Ok(read.map(|read| read.map_err(Ignored::Unusable)).collect())
    }

    fn event<'a>(
        &'static self,
        event: &'a Map<String, Value>,
        at: &str,
        own_text: impl FnOnce() -> Identity<'a>,
        refusable: bool,
    ) -> Result<Event<'a>, Unusable> {
        let scope = Scope::of(event);
        let event_type = self.event_type.required(&scope, at)?;
        let rule = self.rule(&event_type);
        let object = |path: fn(&SubjectRule) -> &Option<Path>| {
            Object::at(rule.and_then(|rule| path(rule).as_ref()), event)
        };
        let scope = Scope { user: object(|rule| &rule.user), group: object(|rule| &rule.group), ..scope };
        let id = self.id.as_ref().and_then(|id| id.text_or_number(&scope));
        let identity = id.map_or_else(own_text, Identity::Event);
        let subject = match rule {
            Some(rule) => rule.subject(&scope, at),
            // A rule of the mapping may still name the user.
            None => Subject::Unknown(Unusable::new("the event", "is of a type without a [[subject]]")),
        };
        Ok(Event {
            identity,
            group_id: rule.and_then(|rule| rule.group_id.as_ref()?.text(&scope)),
            time: self.time.as_ref().map_or(Time::Missing, |time| time.time(&scope)),
            tenant: self.tenant.as_ref().and_then(|path| path.find(event, &NOBODY)?.as_str()),
            user: Some(scope.user.value.unwrap_or(&NOBODY)),
            previous: object(|rule| &rule.previous).value,
            refusable,
            ..Event::new(event_type, event, subject)
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
            let text = expression.text(&scope)?;
            // Of a list of addresses, the first one is the person's.
            let text = if name == "ip" { text.split(',').next()?.trim() } else { &text };
            Some((name.clone(), text.to_owned()))
        };
        let fields: Vec<(String, String)> = rules.fields.iter().filter_map(text).collect();
        let by_library = fields.iter().any(|(name, value)| name == "userAgent" && is_library(value));
        let when = &rules.inactive_when;
        let holds = |condition: &Condition| condition.holds(event.body, &NOBODY);
        let by_others = rules.inactive.fit(&event.event_type) || !when.is_empty() && when.iter().all(holds);
        if by_library || by_others {
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
        // A member outside the user is unknown for the user before an update.
        let is_now = event.user.is_some_and(|now| ptr::eq(now, user));
        let scope = Scope {
            event: if is_now { event.body } else { &NOBODY },
            user: Object { value: Some(user), at: None },
            group: Object::at(group, event.body),
            now: Some(now),
        };
        expression::fields(&self.profile, &scope)
    }

    /// Returns the path of the user in an event.
    pub fn user_at(&self, event: &Event<'_>) -> Vec<&str> {
        let user = self.rule(&event.event_type).and_then(|rule| rule.user.as_ref());
        user.map_or_else(Vec::new, |path| path.segments.iter().map(String::as_str).collect())
    }

    /// Returns the members that the profile can have.
    pub fn profile_members(&self) -> Vec<&str> {
        self.profile.iter().map(|(name, _)| name.as_str()).collect()
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

    /// Returns the first path of the declaration that leads to a member that is never read.
    fn reads(&self, never: &Path) -> Option<String> {
        let mut found = None;
        let mut check = |path: &Path| {
            if leads_to(path, never) {
                found.get_or_insert_with(|| path.segments.join("."));
            }
        };
        let subjects = self.subjects.iter();
        let ids = subjects.flat_map(|rule| [&rule.user_id, &rule.anonymous_id, &rule.group_id]);
        for one in [&self.id, &self.time].into_iter().chain(ids).flatten() {
            one.paths(&mut check);
        }
        self.event_type.paths(&mut check);
        for (_, one) in self.context.fields.iter().chain(&self.profile) {
            one.paths(&mut check);
        }
        let objects = self.subjects.iter().flat_map(|rule| [&rule.user, &rule.previous, &rule.group]);
        objects.flatten().chain(&self.tenant).for_each(&mut check);
        self.context.inactive_when.iter().for_each(|condition| check(&condition.path));
        found
    }

    /// Whether a path of a rule leads to a member that is never read.
    pub fn never_reads(&self, path: &Path) -> bool {
        self.never.iter().any(|never| leads_to(path, never))
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

/// Whether a path leads to a member that is never read, or into it. The item of a list does not count.
fn leads_to(path: &Path, never: &Path) -> bool {
    let mut names = path.segments.iter().filter(|name| name.parse::<usize>().is_err());
    never.root == path.root && never.segments.iter().all(|never| names.next() == Some(never))
}

/// Calls `change` with each object that has the last of these names, and that name. In a list, a path leads into
/// each item.
fn at_each(value: &mut Value, segments: &[String], change: &mut impl FnMut(&mut Map<String, Value>, &str)) {
    match (value, segments) {
        (Value::Array(items), _) => items.iter_mut().for_each(|item| at_each(item, segments, change)),
        (Value::Object(object), [last]) => change(object, last),
        (Value::Object(object), [first, rest @ ..]) => {
            if let Some(value) = object.get_mut(first) {
                at_each(value, rest, change);
            }
        }
        _ => {}
    }
}

/// Returns the list of events in a body, if it has one.
fn list_of<'v>(document: &'v mut Value, list: Option<&[&str]>) -> Option<&'v mut Vec<Value>> {
    let found = list.unwrap_or_default().iter().try_fold(document, |value, name| value.get_mut(*name))?;
    found.as_array_mut()
}

/// Whether an address can be that of a person: a loopback address belongs to a server, and 0.0.0.0 to nobody.
fn is_of_a_person(ip: &str) -> bool {
    ip.parse::<IpAddr>().is_ok_and(|ip| {
        let ip = ip.to_canonical();
        !ip.is_loopback() && !ip.is_unspecified()
    })
}
