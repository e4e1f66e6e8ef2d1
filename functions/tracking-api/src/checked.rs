//! From what a request brought to what is published, message by message.

use std::collections::BTreeMap;

use platform::topic::Publication;
use segment::{Message, MessageType, Problem};
use serde_json::{Map, Value};

use crate::{
    enrich::{NotBelieved, Receipt},
    intake::{Intake, Member},
    merge::Shared,
    response::Invalid,
    write_key::Refusal,
};

/// The libraries that keep a batch which was answered 400 and send it again for ever, by `context.library.name`. Their
/// versions do not tell: React Native's library names an old one for years.
const REPEAT: [&str; 4] =
    ["@segment/analytics-react-native", "analytics-flutter", "analytics-react-native", "analytics-swift"];

/// The messages of a request after the check, in their order.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The good ones.
    pub publications: Vec<Publication>,
    /// How many of the good ones there are of each type.
    pub accepted: BTreeMap<&'static str, usize>,
    /// The bad ones.
    pub invalid: Vec<Invalid>,
    /// How many of the good ones have the time of receipt and not their own, and why.
    pub not_believed: BTreeMap<&'static str, usize>,
    /// Whether the library that sent them would repeat a refused request for ever.
    pub repeats: bool,
}

impl Checked {
    /// Completes and checks each message. `in_head` is the write key of those which neither they nor the body
    /// give one; `names` has the names of all keys. A message's object is gone as soon as its text is made,
    /// because a batch's shared context may have made it much larger.
    pub fn new(
        intake: Intake,
        in_head: Option<&str>,
        names: &BTreeMap<String, String>,
        receipt: &Receipt,
    ) -> Result<Self, Refusal> {
        let general = intake.write_key.as_deref().or(in_head);
        let mut checked = Self::default();
        for (index, Member { write_key, object, fault }) in intake.members.into_iter().enumerate() {
            let key = write_key.as_deref().or(general);
            if let Some(fault) = fault {
                let write_key = key.and_then(|key| names.get(key)).cloned();
                checked.invalid.push(Invalid {
                    index,
                    field: "message",
                    problem: fault.to_string(),
                    write_key,
                });
                continue;
            }
            let Some(object) = object else {
                let write_key = key.and_then(|key| names.get(key)).cloned();
                checked.invalid.push(invalid(index, "message", Problem::NotAnObject, write_key));
                continue;
            };
            let name = names.get(key.ok_or(Refusal::Missing)?).ok_or(Refusal::Unknown)?;
            checked.take(index, object, &intake.shared, receipt, name);
        }
        Ok(checked)
    }

    /// Completes and checks a message that is for the write key of that name.
    fn take(
        &mut self,
        index: usize,
        mut object: Map<String, Value>,
        shared: &Shared,
        receipt: &Receipt,
        name: &str,
    ) {
        let not_believed = receipt.enrich(&mut object, shared).map(NotBelieved::code);
        self.repeats |= library(&object).is_some_and(|library| REPEAT.contains(&library));
        match check(object) {
            Ok(message) => {
                *self.accepted.entry(message.message_type().as_str()).or_default() += 1;
                if let Some(reason) = not_believed {
                    *self.not_believed.entry(reason).or_default() += 1;
                }
                self.publications.push(Publication::new(&message, name));
            }
            Err((field, problem)) => self.invalid.push(invalid(index, field, problem, Some(name.to_owned()))),
        }
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

fn invalid(index: usize, field: &'static str, problem: Problem, write_key: Option<String>) -> Invalid {
    let problem = match problem {
        // Segment's HTTP API has no delete call; only a mapping of our own makes such messages.
        Problem::UnknownType => "must be identify, track, page, screen, group or alias".to_owned(),
        problem => problem.to_string(),
    };
    Invalid { index, field, problem, write_key }
}
