//! One message, or one event without a message, with its history.

use std::sync::Arc;

use delivery::Failure;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    Arrival, Summary,
    arrival::Mapped,
    text::{Reader, Text},
};

/// The most attempts kept for one destination: the newest.
const ATTEMPTS: usize = 50;

/// The most requests kept of a message that is received again and again: the first and the last ones.
const ARRIVALS: usize = 5;

/// The state of a message or of one of its deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Waits for its first attempt.
    Queued,
    /// An attempt failed, or the message is held back because its destination keeps failing.
    Retrying,
    /// The destination accepted it.
    Delivered,
    /// In the dead-letter queue.
    DeadLetter,
    /// The destination accepted it and silently drops it.
    Dropped,
    /// Authentic, but it makes no message, or no destination takes it.
    Ignored,
    /// Answered with an error.
    Rejected,
}

/// The source of an item.
#[derive(Clone)]
pub enum Source {
    /// The one with this name.
    Named(String),
    /// The one that the message itself names, by this rule.
    OfMessage(fn(&Summary) -> String),
}

/// One message, or one event without a message.
pub struct Item {
    pub at: Timestamp,
    pub source: Source,
    /// The provider's event type, if it made no message.
    pub kind: Option<String>,
    pub message_id: Option<String>,
    /// How often it was received.
    pub times: usize,
    /// The final state and its reason, if it has no message in a queue.
    pub ended: Option<(State, String)>,
    pub message: Option<Text>,
    pub write_key: Option<String>,
    pub arrivals: Vec<Arc<Arrival>>,
    pub deliveries: Vec<Delivery>,
}

/// The delivery of a message to one destination.
pub struct Delivery {
    pub destination: String,
    pub state: State,
    /// The number of failed attempts.
    pub attempts: u32,
    /// The time of the next attempt.
    pub due: Option<Timestamp>,
    pub failure: Option<RecordedFailure>,
    /// The last request, as [`recorded`](super::request::recorded) writes it.
    pub request: Option<Text>,
    pub log: Vec<Attempt>,
}

/// One attempt at one destination.
#[derive(Debug)]
pub struct Attempt {
    pub at: Timestamp,
    pub milliseconds: u64,
    pub status: Option<u16>,
    pub failure: Option<RecordedFailure>,
    /// What was done with the message.
    pub note: Option<String>,
}

/// The code and the reason of a failure.
#[derive(Clone, Debug)]
pub struct RecordedFailure {
    /// A short name, as in metrics.
    pub code: String,
    /// A sentence.
    pub reason: String,
}

impl From<Failure> for RecordedFailure {
    fn from(failed: Failure) -> Self {
        Self { code: failed.code.to_owned(), reason: failed.reason }
    }
}

impl Item {
    /// Creates an item of this source, without a message.
    pub fn new(at: Timestamp, source: Source) -> Self {
        Self {
            at,
            source,
            kind: None,
            message_id: None,
            times: 1,
            ended: None,
            message: None,
            write_key: None,
            arrivals: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    /// Returns the state of the whole: the worst state of its destinations.
    pub fn state(&self) -> State {
        if let Some((state, _)) = &self.ended {
            return *state;
        }
        let order = [State::DeadLetter, State::Retrying, State::Queued, State::Dropped];
        let has = |state: &State| self.deliveries.iter().any(|delivery| delivery.state == *state);
        order.into_iter().find(has).unwrap_or(State::Delivered)
    }

    /// Returns the reason for its state, if it has one.
    pub fn reason(&self) -> Option<&str> {
        if let Some((_, reason)) = &self.ended {
            return Some(reason);
        }
        let state = self.state();
        let worst = self.deliveries.iter().find(|delivery| delivery.state == state)?;
        worst.failure.as_ref().map(|failure| &*failure.reason)
    }

    /// Returns the delivery to a destination, and adds it if it is new.
    pub fn delivery(&mut self, destination: &str) -> &mut Delivery {
        let known = self.deliveries.iter().position(|delivery| delivery.destination == destination);
        let index = known.unwrap_or_else(|| {
            self.deliveries.push(Delivery::new(destination));
            self.deliveries.len() - 1
        });
        &mut self.deliveries[index]
    }

    /// Records that the same message was received again.
    pub fn received_again(&mut self, again: &Self) {
        self.times += 1;
        self.ended = again.ended.clone();
        again.deliveries.iter().for_each(|delivery| self.delivery(&delivery.destination).queued());
        if self.arrivals.len() == ARRIVALS {
            self.arrivals.remove(1);
        }
        self.arrivals.extend(again.arrivals.iter().cloned());
    }

    /// Returns the members of its message that a row shows.
    pub fn summary(&self, reader: &mut Reader) -> Summary {
        self.message.as_ref().map_or_else(Summary::default, |message| Summary::of(&message.read(reader)))
    }

    /// Returns the name of its source.
    pub fn source(&self, summary: &Summary) -> String {
        match &self.source {
            Source::Named(name) => name.clone(),
            Source::OfMessage(name) => name(summary),
        }
    }

    /// Returns the mapping that made its message.
    pub fn mapped(&self) -> Option<&Mapped> {
        let message_id = self.message_id.as_ref()?;
        self.arrivals.iter().flat_map(|arrival| arrival.mapped()).find(|one| one.message_id == *message_id)
    }

    /// Returns its approximate size in memory, in bytes, without its [texts](Text).
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        size_of::<Self>()
            + text(&self.kind)
            + text(&self.message_id)
            + self.ended.as_ref().map_or(0, |(_, reason)| reason.len())
            + self.arrivals.len() * size_of::<Arrival>()
            + self.deliveries.iter().map(Delivery::bytes).sum::<usize>()
    }
}

impl Delivery {
    /// Returns its approximate size in memory, in bytes, without its texts.
    fn bytes(&self) -> usize {
        let why =
            |why: &Option<RecordedFailure>| why.as_ref().map_or(0, |why| why.code.len() + why.reason.len());
        let log = |attempt: &Attempt| {
            size_of::<Attempt>() + why(&attempt.failure) + attempt.note.as_ref().map_or(0, String::len)
        };
        size_of::<Self>()
            + self.destination.len()
            + why(&self.failure)
            + self.log.iter().map(log).sum::<usize>()
    }

    fn new(destination: &str) -> Self {
        Self {
            destination: destination.to_owned(),
            state: State::Queued,
            attempts: 0,
            due: None,
            failure: None,
            request: None,
            // Most messages need one attempt.
            log: Vec::with_capacity(1),
        }
    }

    /// Starts over: the message is in the queue again.
    pub fn queued(&mut self) {
        (self.state, self.attempts, self.due, self.failure) = (State::Queued, 0, None, None);
    }

    /// Records an attempt. The queue reports the fate of a failed one.
    pub fn attempted(&mut self, attempt: Attempt) {
        if self.log.len() == ATTEMPTS {
            self.log.remove(0);
        }
        match &attempt.failure {
            None => (self.state, self.due, self.failure) = (State::Delivered, None, None),
            Some(failure) => {
                self.attempts += 1;
                (self.state, self.failure) = (State::Retrying, Some(failure.clone()));
            }
        }
        self.log.push(attempt);
    }
}
