//! From records to a batch of messages, which go on their way together and end in one checkpoint.

use std::collections::BTreeSet;

use identity::{Config, HashKey, Ignored, MapError, Mapper, Mapping, Provider};
use jiff::Timestamp;
use platform::clock::{Clock, SystemClock};
use segment::{Failure, Message, MessageType};
use serde_json::{Map, Value};

use super::{
    refused::Refusal,
    source::{Content, Position, Record},
    summary::Counts,
};
use crate::error::CommandError;

/// What goes on its way together.
#[derive(Default)]
pub struct Batch {
    /// The messages.
    pub messages: Vec<Outgoing>,
    /// Where those were found that have messages.
    pub found: Vec<Position>,
    /// Who cannot be sent.
    pub refusals: Vec<Refusal>,
    /// What became of the records in it.
    pub counts: Counts,
    /// What is read already once the batch is done with.
    pub position: Option<Position>,
    /// How much of the source that is.
    pub done: u64,
}

impl Batch {
    /// Adds what a record comes to.
    pub fn add(&mut self, record: Record, maker: &Maker) -> Result<(), CommandError> {
        let (position, done) = (record.position.clone(), record.done);
        self.counts.read += 1;
        match maker.make(record)? {
            Made::Messages(messages) => {
                let record = self.found.len();
                self.found.push(position.clone());
                let outgoing = |(message, write_key)| Outgoing { message, write_key, record };
                self.messages.extend(messages.into_iter().map(outgoing));
            }
            Made::Nothing(reason) => self.counts.skip(reason),
            Made::Refused(refusal) => {
                self.counts.refuse(refusal.reason);
                self.refusals.push(refusal);
            }
        }
        self.position = Some(position);
        self.done = done;
        Ok(())
    }

    /// Counts all as sent but these, and keeps them with the reason.
    pub fn refused(&mut self, refused: Vec<(Outgoing, Failure)>) {
        let mut records = BTreeSet::new();
        for (outgoing, failure) in refused {
            self.counts.messages -= 1;
            if records.insert(outgoing.record) {
                self.counts.sent -= 1;
                self.counts.refuse(failure.code());
            }
            self.refusals.push(Refusal {
                place: self.found[outgoing.record].place(),
                reason: failure.code(),
                problem: failure.to_string(),
                message: Some(outgoing.message.as_object().clone().into()),
            });
        }
    }
}

/// A message on its way.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message.
    pub message: Message,
    /// The name of the write key to send it with.
    pub write_key: String,
    /// Whose it is: the number of its record in the batch.
    pub record: usize,
}

/// The result of reading a record.
pub enum Made {
    /// Messages, each with the name of its write key.
    Messages(Vec<(Message, String)>),
    /// Nothing to send, and why in one word.
    Nothing(&'static str),
    /// It cannot be sent.
    Refused(Refusal),
}

/// Makes messages of what is found.
pub struct Maker {
    /// The provider whose events hold such users.
    pub provider: &'static Provider,
    /// The deployment, the tenants and the mapping.
    pub config: Config,
    /// For fields that the mapping hashes.
    pub hash_key: Option<HashKey>,
    /// Only users who were made or changed at this time or later.
    pub since: Option<Timestamp>,
}

impl Maker {
    /// What `record` comes to.
    ///
    /// # Errors
    /// When it is the same for every record: the mapping wants a key that is not there.
    pub fn make(&self, record: Record) -> Result<Made, CommandError> {
        let position = record.position;
        let now = SystemClock.now();
        let mapper = Mapper::new(&self.config, self.hash_key.as_ref(), now);
        let is_user = matches!(record.content, Content::User(_));
        let mapping = match record.content {
            Content::Nothing(reason) => return Ok(Made::Nothing(reason)),
            Content::Unreadable(reason, problem) => return Ok(refused(&position, reason, problem)),
            Content::User(user) if self.is_old(&user, now) => return Ok(Made::Nothing("before_since")),
            Content::User(user) => mapper.identify(self.provider, user),
            Content::Event(body) => self.provider.read(&body).and_then(|body| mapper.map(body.events()?)),
        };
        match mapping {
            Ok(mapping) => Ok(made(mapping, &position)),
            // The path leads into an event that nobody has seen; its end is the user's field.
            Err(MapError::Unusable(error)) if is_user => {
                let field = error.path.rsplit('.').next().unwrap_or_default();
                Ok(refused(&position, "unusable", format!("{field} {}", error.problem)))
            }
            Err(MapError::Unusable(error)) => Ok(refused(&position, "unusable", error.to_string())),
            Err(MapError::Json(error)) => Ok(refused(&position, "unreadable", error.to_string())),
            Err(error @ (MapError::NoHashKey | MapError::UnknownProvider { .. })) => Err(error.into()),
        }
    }

    fn is_old(&self, user: &Map<String, Value>, now: Timestamp) -> bool {
        // A user without a known time is sent: better once too often than never.
        let changed_at = self.provider.last_change(user, now);
        self.since.zip(changed_at).is_some_and(|(since, changed_at)| changed_at < since)
    }
}

fn made(mapping: Mapping, position: &Position) -> Made {
    if let Some(mapped) =
        mapping.messages.iter().find(|mapped| mapped.message.message_type() == MessageType::Delete)
    {
        return Made::Refused(Refusal {
            place: position.place(),
            reason: "deletion",
            problem: "Segment takes deletions through its Public API alone; post the event to Segue, or delete the \
                      user in Segment by hand"
                .to_owned(),
            message: Some(mapped.message.as_object().clone().into()),
        });
    }
    match mapping.ignored.into_iter().next() {
        _ if !mapping.messages.is_empty() => {
            let messages = mapping.messages.into_iter().map(|mapped| (mapped.message, mapped.write_key));
            Made::Messages(messages.collect())
        }
        Some(Ignored::Unusable(error)) => refused(position, "unusable", error.to_string()),
        Some(ignored) => Made::Nothing(ignored.as_str()),
        None => Made::Nothing("condition"),
    }
}

fn refused(position: &Position, reason: &'static str, problem: String) -> Made {
    Made::Refused(Refusal { place: position.place(), reason, problem, message: None })
}
