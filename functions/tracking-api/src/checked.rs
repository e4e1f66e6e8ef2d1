//! From what a request brought to what is published, message by message.

use std::collections::BTreeMap;

use platform::topic::Publication;
use segment::{Message, MessageType, Problem};
use serde_json::{Map, Value};

use crate::{
    enrich::Receipt,
    intake::{Intake, Member},
    merge::Shared,
    response::Invalid,
    write_key::Refusal,
};

/// The messages of a request after the check, in their order.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The good ones.
    pub publications: Vec<Publication>,
    /// How many of the good ones there are of each type.
    pub accepted: BTreeMap<&'static str, usize>,
    /// The bad ones.
    pub invalid: Vec<Invalid>,
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
            if let Some(fault) = fault {
                checked.invalid.push(Invalid { index, field: "message", problem: fault.to_string() });
                continue;
            }
            let Some(object) = object else {
                checked.invalid.push(invalid(index, "message", Problem::NotAnObject));
                continue;
            };
            let key = write_key.as_deref().or(general).ok_or(Refusal::Missing)?;
            let name = names.get(key).ok_or(Refusal::Unknown)?;
            match check(object, &intake.shared, receipt) {
                Ok(message) => {
                    *checked.accepted.entry(message.message_type().as_str()).or_default() += 1;
                    checked.publications.push(Publication::new(&message, name));
                }
                Err((field, problem)) => checked.invalid.push(invalid(index, field, problem)),
            }
        }
        Ok(checked)
    }
}

fn check(
    mut object: Map<String, Value>,
    shared: &Shared,
    receipt: &Receipt,
) -> Result<Message, (&'static str, Problem)> {
    receipt.enrich(&mut object, shared);
    let message = Message::from_object(object).map_err(|error| (error.path, error.problem))?;
    match message.message_type() {
        MessageType::Delete => Err(("type", Problem::UnknownType)),
        _ => Ok(message),
    }
}

fn invalid(index: usize, field: &'static str, problem: Problem) -> Invalid {
    let problem = match problem {
        // Segment's HTTP API has no delete call; only a mapping of our own makes such messages.
        Problem::UnknownType => "must be identify, track, page, screen, group or alias".to_owned(),
        problem => problem.to_string(),
    };
    Invalid { index, field, problem }
}
