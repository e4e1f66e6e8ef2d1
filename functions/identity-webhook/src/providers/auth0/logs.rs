//! Log streams: what happened in a tenant, in batches.
//!
//! A batch is an array, one record a line, one record alone, or `{"logs": […]}`; a record is `{"log_id", "data"}` or
//! the log by itself, as the Management API has it. A record that cannot be used is counted and left out: Auth0 would
//! send a refused batch again and again, with the same record in it, and pause the stream after a week.

use std::{borrow::Cow, slice};

use segment::{
    json::{self, JsonError},
    timestamp,
};
use serde_json::{Map, Value};

use super::{NO_USER_AGENT, absent, device, log_types, profile::profile as profile_of_user, sapi};
use crate::{
    mapping::{
        Ignored, MapError, Unusable,
        event::{Event, Identity, Read, Subject, object, required_text, text},
        path::find,
    },
    providers::{Provider, WEBHOOK},
};

pub(in crate::providers) const PROVIDER: Provider =
    Provider { route: "auth0/logs", name: "auth0", parse, events, context, profile, ..WEBHOOK };

/// Reads JSON, or one JSON value a line. A line that is none becomes null, which is no record.
fn parse(body: &[u8]) -> Result<Value, JsonError> {
    json::parse(body).or_else(|error| {
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        let lines: Vec<Value> = lines.map(|line| json::parse(line).unwrap_or_default()).collect();
        // An array that is broken somewhere has no line that is a record by itself.
        let is_record = |line: &Value| line.get("data").is_some() || line.get("type").is_some();
        if lines.iter().any(is_record) { Ok(lines.into()) } else { Err(error) }
    })
}

fn events<'a>(document: &'a Value, _: &'a [u8]) -> Result<Vec<Read<'a>>, MapError> {
    let mut events = Vec::new();
    for (index, record) in records(document)?.iter().enumerate() {
        match Log::read(record, index) {
            Ok(log) => log.events(&mut events),
            Err(unusable) => events.push(Err(Ignored::Unusable(unusable))),
        }
    }
    Ok(events)
}

fn records(document: &Value) -> Result<&[Value], JsonError> {
    match document {
        Value::Array(records) => Ok(records),
        Value::Object(object) => match object.get("logs") {
            Some(Value::Array(records)) => Ok(records),
            _ => Ok(slice::from_ref(document)),
        },
        _ => Err(JsonError::NotAnObject),
    }
}

/// One record.
struct Log<'a> {
    /// The same in each delivery, and when old logs are streamed anew.
    id: Cow<'a, str>,
    code: &'a str,
    data: &'a Map<String, Value>,
}

impl<'a> Log<'a> {
    fn read(record: &'a Value, index: usize) -> Result<Self, Unusable> {
        let place = format!("log {index}");
        let Value::Object(record) = record else { return Err(Unusable::new(place, "must be an object")) };
        let data = object(record, "data").unwrap_or(record);
        let places = [(record, "log_id"), (data, "log_id"), (record, "_id")];
        let id = places.into_iter().find_map(|(place, name)| text(place, name));
        Ok(Self {
            // Two records without an id are two events, unless they say the same.
            id: id.map_or_else(|| json::encode(data).into(), Cow::Borrowed),
            code: required_text(data, "type", &format!("{place}.data.type"))?,
            data,
        })
    }

    fn events(&self, events: &mut Vec<Read<'a>>) {
        if self.code == sapi::CODE {
            events.extend(sapi::about(self.data).into_iter().map(|about| match about {
                Ok(about) => Ok(self.call(about)),
                Err(unusable) => Err(Ignored::Unusable(unusable)),
            }));
        } else if self.is_silent() {
            events.push(Err(Ignored::LeftOut("a session was used again, and nobody was asked to log in")));
        } else {
            events.push(Ok(self.event(self.code, Subject::user(self.data, "user_id", "user_id"))));
        }
    }

    /// Auth0 writes `s` also when an application gets its token from a session that is there: without a prompt, and
    /// without the count of logins.
    fn is_silent(&self) -> bool {
        let detail = |name| object(self.data, "details").and_then(|details| details.get(name));
        let prompts = detail("prompts").and_then(Value::as_array);
        self.code == "s" && prompts.is_some_and(Vec::is_empty) && detail("stats").is_none()
    }

    fn event(&self, event_type: impl Into<Cow<'a, str>>, subject: Subject<'a>) -> Event<'a> {
        Event {
            name: log_types::name(self.code).into(),
            identity: Identity::Event(self.id.clone()),
            group_id: text(self.data, "organization_id").map(Cow::Borrowed),
            timestamp: self.data.get("date").and_then(timestamp::parse),
            tenant: text(self.data, "tenant_name"),
            user: Some(self.data),
            refusable: false,
            ..Event::new(event_type, self.data, subject)
        }
    }

    /// Every call is of one type, and only the description tells which: it is made part of the event type, and is what
    /// Auth0 calls it.
    fn call(&self, about: sapi::About<'a>) -> Event<'a> {
        let Some(description) = text(self.data, "description").map(str::trim) else {
            return self.event(self.code, about.subject);
        };
        let mut event = self.event(format!("{} {description}", self.code), about.subject);
        event.name = description.into();
        event.group_id = about.organization;
        if let Some(member) = about.member {
            event.identity = Identity::Event(format!("{}#{member}", self.id).into());
        }
        event
    }
}

fn context(log: &Map<String, Value>) -> Map<String, Value> {
    let is_call = text(log, "type") == Some(sapi::CODE);
    let user_agent = text(log, "user_agent");
    // A user who was made in the Dashboard or through the API: the address is the administrator's, or Auth0's own.
    let by_administrator =
        user_agent == Some(NO_USER_AGENT) && text(log, "client_name") == Some("All Applications");
    let mut context =
        if is_call || by_administrator { absent() } else { device(text(log, "ip"), user_agent) };
    let organization = text(log, "organization_id").map(Cow::Borrowed);
    let organization = if is_call { sapi::organization(log) } else { organization };
    if let Some(id) = organization {
        context.insert("groupId".to_owned(), id.into());
    }
    context
}

/// A log is no profile, but some of one can be read from it.
fn profile(log: &Map<String, Value>) -> Map<String, Value> {
    if text(log, "type") == Some(sapi::CODE) {
        return sapi::user(log).map(profile_of_user).unwrap_or_default();
    }
    let member = |path: &str| find(log, path.split('.'))?.as_str().filter(|text| !is_hidden(text));
    let user_name = member("user_name");
    let new_email = (text(log, "type") == Some("sce")).then(|| member("details.body.newEmail")).flatten();
    let places = ["details.body.email", "details.query.email", "details.request.body.email"];
    let emails = [new_email, user_name].into_iter().chain(places.into_iter().map(member));
    let phone = user_name.filter(|name| is_phone(name));
    let name = user_name.filter(|name| !is_email(name) && !is_phone(name));
    let fields = [
        ("email", emails.flatten().find(|email| is_email(email))),
        ("username", name),
        ("phone", phone),
        ("firstName", member("details.body.given_name")),
        ("lastName", member("details.body.family_name")),
        ("name", member("details.body.name")),
    ];
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

/// Whether a stream was set up to hide this: masked it is asterisks, hashed (xxHash) hexadecimal digits.
fn is_hidden(text: &str) -> bool {
    let has = |wanted: fn(&u8) -> bool| text.bytes().any(|byte| wanted(&byte));
    let is_hash = matches!(text.len(), 16 | 32) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.contains('*') || is_hash && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

fn is_email(text: &str) -> bool {
    let domain = text.rsplit_once('@').filter(|(name, _)| !name.is_empty()).map_or("", |(_, domain)| domain);
    domain.contains('.') && !text.contains(char::is_whitespace)
}

/// The user name of somebody who logs in by text message.
fn is_phone(text: &str) -> bool {
    text.strip_prefix('+')
        .is_some_and(|digits| digits.len() > 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_be_read_of_a_person_is_and_what_is_hidden_is_not() {
        for (log, expected) in [
            (json!({"user_name": "ada@example.com"}), json!({"email": "ada@example.com"})),
            (json!({"user_name": "ada"}), json!({"username": "ada"})),
            (json!({"user_name": "+4520123456"}), json!({"phone": "+4520123456"})),
            (
                json!({"user_name": "ada", "details": {"body": {"email": "ada@example.com"}}}),
                json!({"email": "ada@example.com", "username": "ada"}),
            ),
            (
                json!({"details": {"query": {"email": "ada@example.com"}}}),
                json!({"email": "ada@example.com"}),
            ),
            (
                json!({"details": {"request": {"body": {"email": "ada@example.com"}}}}),
                json!({"email": "ada@example.com"}),
            ),
            (
                json!({"type": "sce", "user_name": "old@example.com", "details": {"body": {"newEmail": "new@example.com"}}}),
                json!({"email": "new@example.com"}),
            ),
            (
                json!({"type": "ss", "details": {"body": {"given_name": "Ada", "family_name": "Berg", "name": "Ada Berg"}}}),
                json!({"firstName": "Ada", "lastName": "Berg", "name": "Ada Berg"}),
            ),
            (json!({"user_name": "*****", "details": {"body": {"given_name": "***"}}}), json!({})),
            (json!({"user_name": "a**@example.com"}), json!({})),
            (json!({"user_name": "9b3f6c1de02a4785"}), json!({})),
            (json!({"user_name": "d24ec4f1a98c6e5bd24ec4f1a98c6e5b"}), json!({})),
            (json!({"user_name": "feedfacefeedface"}), json!({"username": "feedfacefeedface"})),
            (json!({"user_name": "1002345610023456"}), json!({"username": "1002345610023456"})),
            (json!({"user_name": "ada @ example.com"}), json!({"username": "ada @ example.com"})),
            (json!({"user_name": "@example.com"}), json!({"username": "@example.com"})),
            (json!({"user_name": 7, "details": []}), json!({})),
        ] {
            assert_eq!(Value::Object(profile(log.as_object().unwrap())), expected, "{log}");
        }
    }

    #[test]
    fn the_device_is_the_persons_or_none() {
        let (ip, browser) = ("203.0.113.7", "Mozilla/5.0");
        for (log, expected) in [
            (json!({"ip": ip, "user_agent": browser}), json!({"ip": ip, "userAgent": browser})),
            (json!({"ip": ip, "user_agent": "unknown"}), json!({"ip": ip})),
            (json!({"ip": "127.0.0.1", "user_agent": ""}), json!({})),
            (json!({"ip": "::ffff:127.0.0.1"}), json!({})),
            (json!({"ip": 7, "user_agent": []}), json!({})),
            (
                json!({"ip": ip, "user_agent": "unknown", "client_name": "All Applications"}),
                json!({"active": false}),
            ),
            (
                json!({"ip": ip, "user_agent": browser, "client_name": "All Applications"}),
                json!({"ip": ip, "userAgent": browser}),
            ),
            (
                json!({"type": "sapi", "ip": ip, "user_agent": browser, "organization_id": "org_1"}),
                json!({"active": false}),
            ),
            (json!({"ip": ip, "organization_id": "org_1"}), json!({"ip": ip, "groupId": "org_1"})),
        ] {
            assert_eq!(Value::Object(context(log.as_object().unwrap())), expected, "{log}");
        }
    }
}
