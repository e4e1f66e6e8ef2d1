//! One message, or one event without a message, with its history.

use std::sync::Arc;

use delivery::{Failure, Request};
use jiff::Timestamp;
use serde::Serialize;

use super::{Arrival, Summary};

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

/// The result of a mapping rule.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The position of the rule.
    pub rule: String,
    /// The fields that did not fit into Segment's 32 KB.
    pub left_out: Vec<String>,
}

/// One message, or one event without a message.
#[derive(Debug)]
pub struct Item {
    pub at: Timestamp,
    pub source: String,
    /// The provider's event type.
    pub kind: Option<String>,
    pub summary: Summary,
    /// How often it was received.
    pub times: usize,
    /// The final state and its reason, if it has no message in a queue.
    pub ended: Option<(State, String)>,
    pub message: Option<String>,
    pub write_key: Option<String>,
    pub arrivals: Vec<Arc<Arrival>>,
    pub mapping: Option<Mapping>,
    pub deliveries: Vec<Delivery>,
}

/// The delivery of a message to one destination.
#[derive(Debug)]
pub struct Delivery {
    pub destination: String,
    pub state: State,
    /// The number of failed attempts.
    pub attempts: u32,
    /// The time of the next attempt.
    pub due: Option<Timestamp>,
    pub failure: Option<RecordedFailure>,
    /// The last request.
    pub request: Option<Request>,
    pub log: Vec<Attempt>,
}

/// One attempt at one destination.
#[derive(Debug)]
pub struct Attempt {
    pub at: Timestamp,
    pub milliseconds: u64,
    pub status: Option<u16>,
    pub failure: Option<RecordedFailure>,
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
    pub fn new(at: Timestamp, source: &str) -> Self {
        Self {
            at,
            source: source.to_owned(),
            kind: None,
            summary: Summary::default(),
            times: 1,
            ended: None,
            message: None,
            write_key: None,
            arrivals: Vec::new(),
            mapping: None,
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

    /// Returns its approximate size in memory, in bytes, without its requests.
    pub fn bytes(&self) -> usize {
        let message = self.message.as_ref().map_or(0, String::len);
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let summary = &self.summary;
        let texts =
            [&summary.message_id, &summary.message_type, &summary.user, &summary.event, &summary.library];
        let ended = self.ended.as_ref().map_or(0, |(_, reason)| reason.len());
        let mapping =
            self.mapping.as_ref().map_or(0, |mapping| mapping.left_out.iter().map(String::len).sum());
        size_of::<Self>()
            + message
            + text(&self.kind)
            + texts.into_iter().map(text).sum::<usize>()
            + ended
            + mapping
            + self.deliveries.iter().map(|delivery| delivery.bytes(message)).sum::<usize>()
    }
}

impl Delivery {
    /// Returns its approximate size in memory, in bytes. Messages of a batch share the request, so each
    /// counts its part.
    fn bytes(&self, message: usize) -> usize {
        let why =
            |why: &Option<RecordedFailure>| why.as_ref().map_or(0, |why| why.code.len() + why.reason.len());
        let headers = |request: &Request| {
            request.headers.iter().map(|(name, value)| 48 + name.len() + value.len()).sum::<usize>()
        };
        let log = |attempt: &Attempt| size_of::<Attempt>() + why(&attempt.failure);
        size_of::<Self>()
            + self.destination.len()
            + why(&self.failure)
            + self.request.as_ref().map_or(0, |request| message + request.url.len() + headers(request))
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
            log: Vec::new(),
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
