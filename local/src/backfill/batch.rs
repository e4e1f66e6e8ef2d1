//! Maps records to a batch of messages. A batch is sent together and saved in one checkpoint.

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

/// Messages that are sent together.
#[derive(Default)]
pub struct Batch {
    /// The messages.
    pub messages: Vec<Outgoing>,
    /// The positions of the records that have messages.
    pub found: Vec<Position>,
    /// The users that cannot be sent.
    pub refusals: Vec<Refusal>,
    /// The counts of its records.
    pub counts: Counts,
    /// How far the source is read once the batch is done.
    pub position: Option<Position>,
    /// The same in the unit of the source.
    pub done: u64,
}

impl Batch {
    /// Adds the messages of a record, or the reason why it has none.
    pub fn add(&mut self, record: Record, mapper: &RecordMapper) -> Result<(), CommandError> {
        let (position, done) = (record.position.clone(), record.done);
        self.counts.read += 1;
        match mapper.map_record(record)? {
            MappedRecord::Messages(messages) => {
                let record = self.found.len();
                self.found.push(position.clone());
                let outgoing = |(message, write_key)| Outgoing { message, write_key, record };
                self.messages.extend(messages.into_iter().map(outgoing));
            }
            MappedRecord::Nothing(reason) => self.counts.skip(reason),
            MappedRecord::Refused(refusal) => {
                self.counts.refuse(refusal.reason);
                self.refusals.push(refusal);
            }
        }
        self.position = Some(position);
        self.done = done;
        Ok(())
    }

    /// Moves these from the sent to the refused, with the reason.
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

/// A message to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The message.
    pub message: Message,
    /// The name of the write key to send it with.
    pub write_key: String,
    /// The index of its record in the batch.
    pub record: usize,
}

/// The result of mapping a record.
pub enum MappedRecord {
    /// Messages, each with the name of its write key.
    Messages(Vec<(Message, String)>),
    /// Nothing to send, with the reason in one word.
    Nothing(&'static str),
    /// The user cannot be sent.
    Refused(Refusal),
}

/// Maps records to messages.
pub struct RecordMapper {
    /// The provider whose events hold users of this form.
    pub provider: &'static Provider,
    /// The deployment, the tenants and the mapping.
    pub config: Config,
    /// The key for fields that the mapping hashes.
    pub hash_key: Option<HashKey>,
    /// Only users created or changed at this time or later.
    pub since: Option<Timestamp>,
}

impl RecordMapper {
    /// Maps a record.
    ///
    /// # Errors
    /// When no record can be mapped, because the mapping needs a hash key and there is none.
    pub fn map_record(&self, record: Record) -> Result<MappedRecord, CommandError> {
        let position = record.position;
        let now = SystemClock.now();
        let mapper = Mapper::new(&self.config, self.hash_key.as_ref(), now);
        let is_user = matches!(record.content, Content::User(_));
        let mapping = match record.content {
            Content::Nothing(reason) => return Ok(MappedRecord::Nothing(reason)),
            Content::Unreadable(reason, problem) => return Ok(refused(&position, reason, problem)),
            Content::User(user) if self.is_old(&user, now) => {
                return Ok(MappedRecord::Nothing("before_since"));
            }
            Content::User(user) => mapper.identify(self.provider, user),
            Content::Event(body) => self.provider.read(&body).and_then(|body| mapper.map(body.events()?)),
        };
        match mapping {
            Ok(mapping) => Ok(made(mapping, &position)),
            // The path leads into an event made up for the user. Its last part is the user's field.
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
        // A user without a known time is sent: rather once too often than never.
        let changed_at = self.provider.last_change(user, now);
        self.since.zip(changed_at).is_some_and(|(since, changed_at)| changed_at < since)
    }
}

fn made(mapping: Mapping, position: &Position) -> MappedRecord {
    if let Some(mapped) =
        mapping.messages.iter().find(|mapped| mapped.message.message_type() == MessageType::Delete)
    {
        return MappedRecord::Refused(Refusal {
            place: position.place(),
            reason: "deletion",
            problem:
                "Segment takes deletions only through its Public API; post the event to Segue, or delete the \
                      user in Segment by hand"
                    .to_owned(),
            message: Some(mapped.message.as_object().clone().into()),
        });
    }
    match mapping.ignored.into_iter().next() {
        _ if !mapping.messages.is_empty() => {
            let messages = mapping.messages.into_iter().map(|mapped| (mapped.message, mapped.write_key));
            MappedRecord::Messages(messages.collect())
        }
        Some(Ignored::Unusable(error)) => refused(position, "unusable", error.to_string()),
        Some(ignored) => MappedRecord::Nothing(ignored.as_str()),
        None => MappedRecord::Nothing("condition"),
    }
}

fn refused(position: &Position, reason: &'static str, problem: String) -> MappedRecord {
    MappedRecord::Refused(Refusal { place: position.place(), reason, problem, message: None })
}
