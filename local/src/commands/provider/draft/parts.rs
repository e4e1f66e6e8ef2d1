//! The parts of an event, guessed from the names and the values of its members.

use std::fmt::Write;

use identity::credentials;
use segment::timestamp;
use serde_json::{Map, Value};

use crate::error::CommandError;

/// Names of the member with the event type, the likeliest first. The same for the others.
const TYPE: [&str; 9] =
    ["type", "event_type", "eventType", "event", "event_name", "eventName", "topic", "action", "name"];
const ID: [&str; 9] =
    ["event_id", "eventId", "id", "uuid", "uid", "message_id", "messageId", "delivery_id", "log_id"];
const TIME: [&str; 12] = [
    "created_at",
    "createdAt",
    "timestamp",
    "time",
    "occurred_at",
    "occurredAt",
    "event_time",
    "eventTime",
    "published",
    "date",
    "sent_at",
    "createdOn",
];
const USER: [&str; 8] = ["user", "account", "identity", "member", "customer", "profile", "person", "data"];
const USER_ID: [&str; 9] =
    ["user_id", "userId", "id", "uid", "uuid", "sub", "account_id", "accountId", "identity_id"];
const IP: [&str; 8] =
    ["ip_address", "ipAddress", "ip", "client_ip", "clientIp", "remote_ip", "userIp", "remoteAddress"];
const USER_AGENT: [&str; 3] = ["user_agent", "userAgent", "useragent"];

/// Segment's name for a trait, and the names that providers have for it, without punctuation and in lower
/// case.
const TRAITS: &[(&str, &[&str])] = &[
    ("email", &["email", "emailaddress", "primaryemail", "mail"]),
    ("emailVerified", &["emailverified", "isemailverified", "verifiedemail"]),
    ("firstName", &["firstname", "givenname", "forename"]),
    ("lastName", &["lastname", "familyname", "surname"]),
    ("name", &["name", "fullname", "displayname"]),
    ("username", &["username", "login", "nickname", "preferredusername", "handle"]),
    ("phone", &["phone", "phonenumber", "mobile", "primaryphone"]),
    ("avatar", &["avatar", "picture", "imageurl", "avatarurl", "profilepictureurl", "photo"]),
    ("createdAt", &["createdat", "created", "createdon", "registeredat", "signupdate"]),
    ("locale", &["locale", "language"]),
];

/// How many levels of a body are searched.
const MAX_LEVELS: usize = 4;

/// The guessed parts of an event. Paths begin with `event`, and those of the profile with `user` if there is
/// one.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) event_type: Option<String>,
    pub(super) type_text: String,
    pub(super) id: Option<String>,
    pub(super) time: Option<String>,
    pub(super) user: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) ip: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) traits: Vec<(String, String)>,
    pub(super) others: Vec<(String, String)>,
    pub(super) credentials: Vec<String>,
}

impl Parts {
    pub(super) fn find(event: &Map<String, Value>) -> Self {
        let mut parts = Self::default();
        // An envelope such as {"event": {…}} is a level of its own.
        let envelope = envelope(event);
        let (above, inner) = envelope.map_or(("event".to_owned(), event), |(at, inner)| (at, inner));
        let text = |name: &&&str| inner.get(**name).is_some_and(is_text);
        let found = TYPE.iter().find(text);
        parts.event_type = found.map(|name| below(&above, name));
        parts.type_text = found
            .and_then(|name| inner.get(*name)?.as_str())
            .map_or_else(|| "user.changed".to_owned(), str::to_owned);
        parts.id = ID.iter().find_map(|name| id_at(&above, inner, name));
        let is_time = |name: &&&str| inner.get(**name).is_some_and(|value| timestamp::parse(value).is_some());
        let found = TIME.iter().find(is_time).map(|name| below(&above, name));
        parts.time = found.or_else(|| {
            let context = inner.get("context")?.as_object()?;
            let name = TIME
                .iter()
                .find(|name| context.get(**name).is_some_and(|value| timestamp::parse(value).is_some()))?;
            Some(below(&below(&above, "context"), name))
        });
        let user = user(&above, inner);
        let (at, object) = user.clone().unwrap_or_else(|| (above.clone(), inner));
        parts.user_id = USER_ID
            .iter()
            .filter(|name| user.is_some() || !matches!(**name, "id" | "uid" | "uuid"))
            .find_map(|name| id_at(if user.is_some() { "user" } else { &at }, object, name))
            .or_else(|| USER_ID[..2].iter().find_map(|name| id_at(&above, inner, name)))
            .or_else(|| find(&above, inner, &USER_ID[..2], 0).map(|path| quoted(&path)));
        parts.ip = find(&above, inner, &IP, 0);
        parts.user_agent = find(&above, inner, &USER_AGENT, 0);
        let root = if user.is_some() { "user".to_owned() } else { at };
        parts.user = user.map(|(at, _)| at);
        parts.profile(&root, object);
        parts.credentials = credentials::paths_in(&event.clone().into(), "event");
        parts.credentials.truncate(50);
        parts
    }

    /// Collects the members of the profile: those that Segment has a name for, and the others.
    fn profile(&mut self, root: &str, user: &Map<String, Value>) {
        let mut flat: Vec<(String, String, &Value)> = Vec::new();
        for (name, value) in user {
            if credentials::is_credential(name, value) {
                continue;
            }
            let at = below(root, name);
            match value {
                // The parts of a name, or all of the profile, are often in an object of their own.
                Value::Object(inner) if inner.keys().any(|name| segment_trait(name).is_some()) => {
                    flat.extend(inner.iter().map(|(name, value)| (name.clone(), below(&at, name), value)));
                }
                _ => flat.push((name.clone(), at, value)),
            }
        }
        for (name, at, value) in flat.into_iter().take(100) {
            let Some(source) = source(&at, value) else { continue };
            let known = segment_trait(&name);
            let taken =
                |name: &str, traits: &[(String, String)]| traits.iter().any(|(known, _)| known == name);
            match known {
                Some("createdAt") if !taken("createdAt", &self.traits) => {
                    self.traits.push(("createdAt".to_owned(), format!("{{ time = {} }}", quoted(&at))));
                }
                Some(known) if !taken(known, &self.traits) && !value.is_object() && !value.is_array() => {
                    self.traits.push((known.to_owned(), source));
                }
                _ => {
                    let name = camel(&name);
                    if !name.is_empty() && !taken(&name, &self.others) && !taken(&name, &self.traits) {
                        self.others.push((name, source));
                    }
                }
            }
        }
    }

    pub(super) fn type_expression(&self) -> String {
        match &self.event_type {
            Some(path) => quoted(path),
            None => format!(
                "{{ value = {} }} # No type was found, so every event has this one.",
                quoted(&self.type_text)
            ),
        }
    }
}

/// Returns Segment's name for a member of a user.
fn segment_trait(name: &str) -> Option<&'static str> {
    let plain: String = name.chars().filter(|character| character.is_alphanumeric()).collect();
    let plain = plain.to_lowercase();
    TRAITS.iter().find(|(_, names)| names.contains(&plain.as_str())).map(|(name, _)| *name)
}

/// Returns the list's place, if the body holds a list of events, and the first event.
pub(super) fn event(body: &Value) -> Result<(Option<String>, &Map<String, Value>), CommandError> {
    const NO_OBJECT: &str =
        "the body has no object, so it has no event; pass a body as the provider sends it";
    let first = |items: &'_ Vec<Value>| items.first().is_some_and(Value::is_object);
    match body {
        Value::Array(items) => {
            Ok((Some("*".to_owned()), items.first().and_then(Value::as_object).ok_or(NO_OBJECT)?))
        }
        Value::Object(object) => {
            let has_type = TYPE.iter().any(|name| object.get(*name).is_some_and(is_text));
            let lists = object.iter().flat_map(|(name, value)| match value {
                Value::Array(items) if first(items) => vec![(name.clone(), items)],
                Value::Object(inner) => inner
                    .iter()
                    .filter_map(|(below, value)| Some((format!("{name}.{below}"), value.as_array()?)))
                    .filter(|(_, items)| first(items))
                    .collect(),
                _ => Vec::new(),
            });
            let is_event = |items: &Vec<Value>| {
                TYPE.iter().any(|name| items.iter().all(|item| item.get(name).is_some_and(is_text)))
            };
            let mut events = lists.filter(|(name, items)| {
                is_event(items) && (!has_type || name.ends_with("events")) && is_path(name)
            });
            match events.next() {
                Some((list, items)) => {
                    Ok((Some(list), items.first().and_then(Value::as_object).ok_or(NO_OBJECT)?))
                }
                None => Ok((None, object)),
            }
        }
        _ => Err(NO_OBJECT.into()),
    }
}

/// Whether the names in a list's place need no quotes.
fn is_path(name: &str) -> bool {
    name.split('.').all(|part| !part.is_empty() && !part.contains(['"', '\'']))
}

/// Returns the object with the type, if it is not the body itself.
fn envelope(event: &Map<String, Value>) -> Option<(String, &Map<String, Value>)> {
    if TYPE.iter().any(|name| event.get(*name).is_some_and(is_text)) {
        return None;
    }
    let (name, inner) = ["event", "payload", "data", "body", "metadata"]
        .iter()
        .find_map(|name| Some((name, event.get(*name)?.as_object()?)))?;
    let has_type = TYPE.iter().any(|name| inner.get(*name).is_some_and(is_text));
    has_type.then(|| (below("event", name), inner))
}

/// Returns the object that is most like a user, and its path.
fn user<'v>(above: &str, event: &'v Map<String, Value>) -> Option<(String, &'v Map<String, Value>)> {
    let mut candidates = Vec::new();
    collect(above, event, 0, &mut candidates);
    let score = |(at, object): &(String, &Map<String, Value>)| {
        let name = at.rsplit('.').next().unwrap_or_default();
        let named = USER.iter().position(|known| name.eq_ignore_ascii_case(known)).map_or(0, |at| 9 - at);
        let has = |names: &[&str]| names.iter().any(|name| object.contains_key(*name));
        let email = if object.keys().any(|key| key.to_lowercase().contains("email")) { 10 } else { 0 };
        named + email + if has(&USER_ID) { 3 } else { 0 }
    };
    let best = candidates.into_iter().map(|candidate| (score(&candidate), candidate));
    let (score, found) = best.max_by_key(|(score, (at, _))| (*score, std::cmp::Reverse(at.len())))?;
    (score >= 4).then_some(found)
}

fn collect<'v>(
    at: &str,
    object: &'v Map<String, Value>,
    level: usize,
    found: &mut Vec<(String, &'v Map<String, Value>)>,
) {
    for (name, value) in object {
        if let Value::Object(inner) = value
            && level < MAX_LEVELS
            && !credentials::is_credential(name, value)
        {
            let at = below(at, name);
            collect(&at, inner, level + 1, found);
            found.push((at, inner));
        }
    }
}

/// Returns the path of a text with one of these names.
fn find(at: &str, object: &Map<String, Value>, names: &[&str], level: usize) -> Option<String> {
    let here = names.iter().find(|name| object.get(**name).is_some_and(is_text)).map(|name| below(at, name));
    here.or_else(|| {
        object.iter().filter(|_| level < MAX_LEVELS).find_map(|(name, value)| {
            let is_safe = !credentials::is_credential(name, value);
            is_safe.then(|| find(&below(at, name), value.as_object()?, names, level + 1)).flatten()
        })
    })
}

/// Returns the source of an id: a text, or a number as a text.
fn id_at(at: &str, object: &Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::Number(_) => Some(quoted(&format!("{{{}}}", below(at, name)))),
        value if is_text(value) => Some(quoted(&below(at, name))),
        _ => None,
    }
}

/// Returns the source of a value in the profile.
fn source(at: &str, value: &Value) -> Option<String> {
    let path = quoted(at);
    Some(match value {
        Value::String(_) | Value::Null => path,
        Value::Number(_) => format!("{{ number = {path} }}"),
        Value::Bool(_) => format!("{{ boolean = {path} }}"),
        Value::Object(_) => format!("{{ freeForm = {path} }}"),
        Value::Array(items) if items.iter().all(Value::is_string) => format!("{{ texts = {path} }}"),
        Value::Array(_) => return None,
    })
}

/// Returns the path of a member.
fn below(at: &str, name: &str) -> String {
    format!("{at}.{name}")
}

/// Returns an event without the members whose names a path cannot have as they are.
pub(super) fn simple(value: &Value) -> Value {
    let is_simple = |name: &str| !name.is_empty() && !name.contains(['.', '"', '\'', '{', '}']);
    match value {
        Value::Object(object) => {
            let members = object.iter().filter(|(name, _)| is_simple(name));
            members.map(|(name, value)| (name.clone(), simple(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(simple).collect(),
        value => value.clone(),
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// Returns a name in camel case, of letters and digits only.
fn camel(name: &str) -> String {
    let mut camel = String::new();
    let mut upper = false;
    for character in name.chars() {
        match character {
            _ if !character.is_ascii_alphanumeric() => upper = !camel.is_empty(),
            _ if upper => {
                camel.push(character.to_ascii_uppercase());
                upper = false;
            }
            _ => camel.push(character),
        }
    }
    camel
}

/// Returns a text as a string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => drop(write!(quoted, "\\u{:04X}", u32::from(character))),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
