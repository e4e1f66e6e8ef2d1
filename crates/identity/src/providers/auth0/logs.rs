//! Log streams: batches of the log records of a tenant.
//!
//! A batch is an array, one record a line, one record alone, or `{"logs": […]}`. A record is `{"log_id",
//! "data"}`, or the log by itself, as the Management API returns it. A record that cannot be used is counted
//! and left out: Auth0 would send a refused batch again and again, and pause the stream after a week.

use std::{borrow::Cow, collections::HashMap, slice, sync::LazyLock};

use segment::json::{self, JsonError};
use serde_json::{Map, Value};

use super::{CONTEXT, person, sapi};
use crate::{
    error::{Ignored, MapError, Unusable},
    event::{Event, Identity, ReadEvent, Subject},
    members::{object, required_text, text},
    provider::{CODE, Code, MAX_EVENTS, Provider, Reader, WEBHOOK},
    time::Time,
};

pub(in crate::providers) const PROVIDER: Provider = Provider {
    route: "auth0/logs",
    name: "auth0",
    title: "Auth0",
    reader: Reader::Code(Code {
        parse,
        events,
        // A call of the Management API is named by its description.
        may_be_new: |name| name.starts_with(sapi::CODE),
        context: person::context,
        profile: person::profile,
        ..CODE
    }),
    event_types: TABLE,
    context_paths: CONTEXT,
    ..WEBHOOK
};

/// Reads JSON, or one JSON value a line. A record that cannot be read becomes null.
fn parse(body: &[u8]) -> Result<Value, JsonError> {
    let list: &[&str] = if body.trim_ascii_start().starts_with(b"[") { &[] } else { &["logs"] };
    let error = match json::parse_items(body, list, MAX_EVENTS) {
        Ok((document, _)) => return Ok(document),
        Err(error) if error.is_too_much() => return Err(error),
        Err(error) => error,
    };
    let lines = json::parse_lines(body, MAX_EVENTS)?;
    // A broken array has no line that is a record by itself.
    let is_record = |line: &Value| line.get("data").is_some() || line.get("type").is_some();
    if lines.iter().any(is_record) { Ok(lines.into()) } else { Err(error) }
}

fn events<'a>(document: &'a Value, _: &'a [u8]) -> Result<Vec<ReadEvent<'a>>, MapError> {
    let mut events = Vec::new();
    for (index, record) in records(document)?.iter().enumerate() {
        match Log::read(record, index) {
            Ok(log) => log.events(&mut events),
            Err(unusable) => events.push(Err(Ignored::Unusable(unusable))),
        }
        // A call about an organization's members is one event for each member.
        if events.len() > MAX_EVENTS {
            return Err(JsonError::TooManyItems { most: MAX_EVENTS }.into());
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
    /// The same in each delivery, and when old logs are streamed again.
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
            // Two records without an id are two events, unless their content is the same.
            id: id.map_or_else(|| json::encode(data).into(), Cow::Borrowed),
            code: required_text(data, "type", &format!("{place}.data.type"))?,
            data,
        })
    }

    fn events(&self, events: &mut Vec<ReadEvent<'a>>) {
        if self.code == sapi::CODE {
            events.extend(sapi::call_subjects(self.data).into_iter().map(|about| match about {
                Ok(about) => Ok(self.call(about)),
                Err(unusable) => Err(Ignored::Unusable(unusable)),
            }));
        } else if self.is_silent() {
            events.push(Err(Ignored::LeftOut("it reuses a session, and nobody was asked to log in")));
        } else {
            events.push(Ok(self.event(self.code, person::subject(self.data))));
        }
    }

    /// Whether nobody was asked to log in. Auth0 also writes `s` when an application gets its token from an
    /// existing session: then there is no prompt and no count of logins.
    fn is_silent(&self) -> bool {
        let detail = |name| object(self.data, "details").and_then(|details| details.get(name));
        let prompts = detail("prompts").and_then(Value::as_array);
        self.code == "s" && prompts.is_some_and(Vec::is_empty) && detail("stats").is_none()
    }

    fn event(&self, event_type: impl Into<Cow<'a, str>>, subject: Subject<'a>) -> Event<'a> {
        Event {
            name: name(self.code).into(),
            identity: Identity::Event(self.id.clone()),
            group_id: text(self.data, "organization_id").map(Cow::Borrowed),
            time: Time::read(self.data.get("date")),
            tenant: text(self.data, "tenant_name"),
            user: Some(self.data),
            refusable: false,
            ..Event::new(event_type, self.data, subject)
        }
    }

    /// All calls have the same type, and only the description tells them apart. So the description is part of
    /// the event type, and it is also Auth0's name for the event.
    fn call(&self, about: sapi::CallSubject<'a>) -> Event<'a> {
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

/// Auth0's log types: a code, a tab and its name on each line.
const TABLE: &str = include_str!("log_types.tsv");

static NAMES: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| rows().collect());

fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t'))
}

/// Returns Auth0's long name of a code, or the code itself if Auth0 added it later.
fn name(code: &str) -> &str {
    NAMES.get(code).copied().unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_and_in_order() {
        let codes: Vec<&str> = rows().map(|(code, _)| code).collect();
        assert!(codes.is_sorted_by(|left, right| left < right), "each code once, in byte order");
        assert_eq!((codes.len(), TABLE.lines().count()), (179, 180), "no line is skipped");
        assert!(rows().all(|(code, name)| !code.is_empty() && name.trim() == name && !name.is_empty()));
    }

    #[test]
    fn a_code_has_its_long_name_or_keeps_the_code() {
        for (code, expected) in [
            ("s", "Success Login"),
            ("fp", "Failed Login (Incorrect Password)"),
            ("gd_unenroll", "Unenroll device account"),
            ("zz_new", "zz_new"),
            ("S", "S"),
            ("", ""),
        ] {
            assert_eq!(name(code), expected);
        }
    }
}
