//! Maps records to a batch of messages. A batch is sent together and saved in one checkpoint.

use std::collections::BTreeSet;

use identity::{Config, HashKey, Ignored, MapError, Mapper, Mapping, Provider};
use jiff::Timestamp;
use platform::clock::{Clock, SystemClock};
use segment::{Message, MessageType, timestamp};
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

    /// Moves these from the sent to the skipped or the refused.
    pub fn not_sent(&mut self, not_sent: Vec<(Outgoing, NotSent)>) {
        let mut records = BTreeSet::new();
        for (outgoing, why) in not_sent {
            self.counts.messages -= 1;
            let is_first = records.insert(outgoing.record);
            self.counts.sent -= u64::from(is_first);
            match why {
                NotSent::Skipped(reason) if is_first => self.counts.skip(reason),
                NotSent::Skipped(_) => {}
                NotSent::Refused(reason, problem) => {
                    if is_first {
                        self.counts.refuse(reason);
                    }
                    self.refusals.push(Refusal {
                        place: self.found[outgoing.record].place(),
                        reason,
                        problem,
                        message: Some(outgoing.message.as_object().clone().into()),
                    });
                }
            }
        }
    }
}

/// Why a message was not sent.
pub enum NotSent {
    /// The destination does not want it, for this reason in one word.
    Skipped(&'static str),
    /// The destination will never take it, for this reason in one word and in a sentence.
    Refused(&'static str, String),
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
pub enum RecordMapper {
    /// Maps the users or events of a provider.
    Provider(Box<ProviderMapper>),
    /// Takes Segment messages as they are.
    Messages {
        /// The name of their write key.
        write_key: String,
        /// Only messages received at this time or later.
        since: Option<Timestamp>,
    },
}

impl RecordMapper {
    /// Maps a record.
    ///
    /// # Errors
    /// When no record can be mapped, because the mapping needs a hash key and there is none.
    pub fn map_record(&self, record: Record) -> Result<MappedRecord, CommandError> {
        match (self, record.content) {
            (_, Content::Nothing(reason)) => Ok(MappedRecord::Nothing(reason)),
            (_, Content::Unreadable(reason, problem)) => Ok(refused(&record.position, reason, problem)),
            (Self::Messages { write_key, since }, Content::Message(object)) => {
                let time = ["receivedAt", "timestamp"].into_iter().find_map(|name| object.get(name));
                if since.zip(time.and_then(timestamp::parse)).is_some_and(|(since, time)| time < since) {
                    return Ok(MappedRecord::Nothing("before_since"));
                }
                Ok(match Message::from_object(object) {
                    Ok(message) => MappedRecord::Messages(vec![(message, write_key.clone())]),
                    Err(error) => refused(&record.position, "invalid", error.to_string()),
                })
            }
            (Self::Provider(mapper), content) => mapper.map_content(content, &record.position),
            (Self::Messages { .. }, _) => Ok(MappedRecord::Nothing("no_message")),
        }
    }
}

/// Maps the users or events of a provider.
pub struct ProviderMapper {
    /// The provider whose events hold users of this form.
    pub provider: &'static Provider,
    /// The deployment, the tenants and the mapping.
    pub config: Config,
    /// The key for fields that the mapping hashes.
    pub hash_key: Option<HashKey>,
    /// Only users created or changed at this time or later.
    pub since: Option<Timestamp>,
    /// Whether the destination takes the deletion of a user as a message.
    pub takes_deletions: bool,
}

impl ProviderMapper {
    fn map_content(&self, content: Content, position: &Position) -> Result<MappedRecord, CommandError> {
        let now = SystemClock.now();
        let mapper = Mapper::new(&self.config, self.hash_key.as_ref(), now);
        let is_user = matches!(content, Content::User(_));
        let mapping = match content {
            Content::User(user) if self.is_old(&user, now) => {
                return Ok(MappedRecord::Nothing("before_since"));
            }
            Content::User(user) => mapper.identify(self.provider, user),
            Content::Event(body) => self.provider.read(&body).and_then(|body| mapper.map(body.events()?)),
            _ => return Ok(MappedRecord::Nothing("no_user")),
        };
        match mapping {
            Ok(mapping) => Ok(self.made(mapping, position)),
            // The path leads into an event made up for the user. Its last part is the user's field.
            Err(MapError::Unusable(error)) if is_user => {
                let field = error.path.rsplit('.').next().unwrap_or_default();
                Ok(refused(position, "unusable", format!("{field} {}", error.problem)))
            }
            Err(MapError::Unusable(error)) => Ok(refused(position, "unusable", error.to_string())),
            Err(MapError::Json(error)) => Ok(refused(position, "unreadable", error.to_string())),
            // No provider that is backfilled sends a JWT.
            Err(error @ (MapError::NotAJwt | MapError::NoHashKey | MapError::UnknownProvider { .. })) => {
                Err(error.into())
            }
        }
    }

    fn made(&self, mapping: Mapping, position: &Position) -> MappedRecord {
        let mut deletions =
            mapping.messages.iter().filter(|mapped| mapped.message.message_type() == MessageType::Delete);
        if !self.takes_deletions
            && let Some(mapped) = deletions.next()
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

    fn is_old(&self, user: &Map<String, Value>, now: Timestamp) -> bool {
        // A user without a known time is sent: rather once too often than never.
        let changed_at = self.provider.last_change(user, now);
        self.since.zip(changed_at).is_some_and(|(since, changed_at)| changed_at < since)
    }
}

fn refused(position: &Position, reason: &'static str, problem: String) -> MappedRecord {
    MappedRecord::Refused(Refusal { place: position.place(), reason, problem, message: None })
}
