//! Turns the messages of a request into publications, one by one.

use std::collections::BTreeMap;

use platform::topic::Publication;
use segment::{Message, MessageType, Problem, json, timestamp::TimeFault};
use serde_json::{Map, Value};

use crate::{
    enrich::Receipt,
    intake::{IncomingMessage, Intake},
    merge::BatchFields,
    recent::{Fingerprint, RecentMessages},
    response::Invalid,
    write_key::Refusal,
};

/// The libraries that keep a batch which was answered 400 and send it again forever, by
/// `context.library.name`. Their versions do not help: React Native's library has named an old one for years.
const REPEAT: [&str; 4] =
    ["@segment/analytics-react-native", "analytics-flutter", "analytics-react-native", "analytics-swift"];

/// The messages of a request after the check, in order.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The good messages to publish.
    pub publications: Vec<Publication>,
    /// The number of publications of each type.
    pub accepted: BTreeMap<&'static str, usize>,
    /// The fingerprints of the publications, if they have one.
    pub fingerprints: Vec<Fingerprint>,
    /// The number of good messages that were stored before.
    pub repeated: usize,
    /// The bad messages.
    pub invalid: Vec<Invalid>,
    /// The number of good messages whose time was replaced by the time of receipt, by reason.
    pub corrected: BTreeMap<&'static str, usize>,
    /// Whether the sending library would repeat a refused request forever.
    pub repeats: bool,
    /// Whether any message could be read and so shows its library.
    pub readable: bool,
}

impl Checked {
    /// Completes and checks each message. `from_head` is the write key for messages without one of their own,
    /// if the body has none either. `names` has the names of all keys, and `recent` finds messages that were
    /// stored before. A message's object is dropped as soon as its text is built, because a batch's shared
    /// context may have made it much larger.
    pub fn new(
        intake: Intake,
        from_head: Option<&str>,
        names: &BTreeMap<String, String>,
        receipt: &Receipt,
        recent: Option<&RecentMessages>,
    ) -> Result<Self, Refusal> {
        let general = intake.write_key.as_deref().or(from_head);
        let mut checked = Self::default();
        for (index, IncomingMessage { write_key, object, fault }) in intake.members.into_iter().enumerate() {
            let key = write_key.as_deref().or(general);
            let Some(mut object) = object.filter(|_| fault.is_none()) else {
                let problem =
                    fault.map_or_else(|| Problem::NotAnObject.to_string(), |fault| fault.to_string());
                let write_key = key.and_then(|key| names.get(key)).cloned();
                checked.invalid.push(Invalid {
                    index,
                    field: "message",
                    problem,
                    write_key,
                    fingerprint: None,
                });
                continue;
            };
            let name = names.get(key.ok_or(Refusal::Missing)?).ok_or(Refusal::Unknown)?;
            // An empty id counts as missing. Messages without an id are never repeats.
            segment::tidy(&mut object);
            checked.readable = true;
            let recent = recent.filter(|_| object.get("messageId").is_some_and(|id| !id.is_null()));
            let [bad, fingerprint] = match recent.map(|recent| (recent, json::encode(&object))) {
                Some((recent, text)) => [false, true].map(|good| Some(recent.fingerprint(good, name, &text))),
                None => [None; 2],
            };
            let is_known =
                recent.zip(fingerprint).is_some_and(|(recent, one)| recent.has(one, receipt.received_at));
            match checked.complete(object, &intake.shared, receipt) {
                Ok(_) if is_known => checked.repeated += 1,
                Ok(message) => {
                    *checked.accepted.entry(message.message_type().as_str()).or_default() += 1;
                    checked.publications.push(Publication::new(&message, name));
                    checked.fingerprints.extend(fingerprint);
                }
                Err((field, problem)) => {
                    let invalid = invalid(index, field, problem, name.to_owned());
                    checked.invalid.push(Invalid { fingerprint: bad, ..invalid });
                }
            }
        }
        Ok(checked)
    }

    /// Whether there were messages and none of them is good.
    pub fn is_all_bad(&self) -> bool {
        self.publications.is_empty() && self.repeated == 0 && !self.invalid.is_empty()
    }

    /// Completes and checks a message.
    fn complete(
        &mut self,
        mut object: Map<String, Value>,
        shared: &BatchFields,
        receipt: &Receipt,
    ) -> Result<Message, (&'static str, Problem)> {
        let corrected = receipt.enrich(&mut object, shared).map(TimeFault::code);
        self.repeats |= library(&object).is_some_and(|library| REPEAT.contains(&library));
        let message = check(object)?;
        if let Some(reason) = corrected {
            *self.corrected.entry(reason).or_default() += 1;
        }
        Ok(message)
    }
}

fn library(message: &Map<String, Value>) -> Option<&str> {
    message.get("context")?.get("library")?.get("name")?.as_str()
}

fn check(object: Map<String, Value>) -> Result<Message, (&'static str, Problem)> {
    let message = Message::from_object(object).map_err(|error| (error.path, error.problem))?;
    match message.message_type() {
        MessageType::Delete => Err(("type", Problem::UnknownType)),
        _ => Ok(message),
    }
}

fn invalid(index: usize, field: &'static str, problem: Problem, write_key: String) -> Invalid {
    let problem = match problem {
        // Segment's HTTP API has no delete call. Only a mapping makes such messages.
        Problem::UnknownType => "must be identify, track, page, screen, group or alias".to_owned(),
        problem => problem.to_string(),
    };
    Invalid { index, field, problem, write_key: Some(write_key), fingerprint: None }
}
