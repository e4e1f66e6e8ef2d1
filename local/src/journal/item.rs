//! One message, or one event that made none, with all that happened to it.

use std::sync::Arc;

use delivery::{Failure, Request};
use jiff::Timestamp;
use serde::Serialize;

use super::{Arrival, Summary};

/// The most attempts at one destination that are kept: the newest.
const ATTEMPTS: usize = 50;

/// Of a message that comes in more often than this, the first time and the last ones are kept.
const ARRIVALS: usize = 5;

/// Where a message is, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It waits for its first attempt.
    Queued,
    /// An attempt failed, or none was made yet for a destination that keeps failing.
    Retrying,
    /// The destination took it.
    Delivered,
    /// It lies in the dead-letter queue.
    DeadLetter,
    /// The destination took it and drops it in silence.
    Dropped,
    /// Authentic, and of no interest: no message was made, or no destination wants it.
    Ignored,
    /// Answered with an error.
    Rejected,
}

/// What a rule of the mapping did.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// Where the rule stands.
    pub rule: String,
    /// What did not fit into Segment's 32 KB.
    pub left_out: Vec<String>,
}

/// One message, or one event that made none.
#[derive(Debug)]
pub struct Item {
    pub at: Timestamp,
    pub source: String,
    /// The provider's event type.
    pub kind: Option<String>,
    pub summary: Summary,
    /// How often it came in.
    pub times: usize,
    /// How it ended without a message in a queue, and why.
    pub ended: Option<(State, String)>,
    pub message: Option<String>,
    pub write_key: Option<String>,
    pub arrivals: Vec<Arc<Arrival>>,
    pub mapping: Option<Mapping>,
    pub deliveries: Vec<Delivery>,
}

/// A message's way to one destination.
#[derive(Debug)]
pub struct Delivery {
    pub destination: String,
    pub state: State,
    /// How many attempts failed.
    pub attempts: u32,
    /// When the next is due.
    pub due: Option<Timestamp>,
    pub failure: Option<RecordedFailure>,
    /// What was sent last.
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

/// Why something failed.
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
    /// Something of this source, with nothing known of it yet.
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

    /// The state of the whole: that of the destination which needs a person's eyes most.
    pub fn state(&self) -> State {
        if let Some((state, _)) = &self.ended {
            return *state;
        }
        let order = [State::DeadLetter, State::Retrying, State::Queued, State::Dropped];
        let has = |state: &State| self.deliveries.iter().any(|delivery| delivery.state == *state);
        order.into_iter().find(has).unwrap_or(State::Delivered)
    }

    /// Why it is in this state, where that wants saying.
    pub fn reason(&self) -> Option<&str> {
        if let Some((_, reason)) = &self.ended {
            return Some(reason);
        }
        let state = self.state();
        let worst = self.deliveries.iter().find(|delivery| delivery.state == state)?;
        worst.failure.as_ref().map(|failure| &*failure.reason)
    }

    /// Its delivery to a destination, which begins now if it is a new one.
    pub fn delivery(&mut self, destination: &str) -> &mut Delivery {
        let known = self.deliveries.iter().position(|delivery| delivery.destination == destination);
        let index = known.unwrap_or_else(|| {
            self.deliveries.push(Delivery::new(destination));
            self.deliveries.len() - 1
        });
        &mut self.deliveries[index]
    }

    /// Takes note of another time that it came in, as `again`.
    pub fn received_again(&mut self, again: &Self) {
        self.times += 1;
        self.ended = again.ended.clone();
        again.deliveries.iter().for_each(|delivery| self.delivery(&delivery.destination).queued());
        if self.arrivals.len() == ARRIVALS {
            self.arrivals.remove(1);
        }
        self.arrivals.extend(again.arrivals.iter().cloned());
    }

    /// About how many bytes it holds, without the requests that it came with.
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
    /// About how many bytes it holds. Of a request with a batch, whose bytes its messages share, this one's part counts.
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

    /// Begins afresh: the message is in the queue again.
    pub fn queued(&mut self) {
        (self.state, self.attempts, self.due, self.failure) = (State::Queued, 0, None, None);
    }

    /// Takes note of an attempt. What becomes of a failed one, its queue says.
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
