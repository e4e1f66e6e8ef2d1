//! Attempts to deliver, told to whoever watches. On AWS nobody does, and then nothing is made of them; `segue serve`
//! shows them on its page.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use segment::Outcome;

/// One call to a destination, and how it ended for each of its messages.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The destination's name: a webhook's own, or what the function calls Segment.
    pub destination: String,
    /// When it began.
    pub began: Timestamp,
    /// How long it took, with its second try where the credentials turned out to be old.
    pub took: Duration,
    /// What was sent, where a single request was made that can be named.
    pub request: Option<Request>,
    /// One for each message.
    pub ends: Vec<End>,
}

/// A request as it was sent. It holds personal data, and headers that may be secret.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where to.
    pub url: String,
    /// The headers in their order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// How an attempt ended for one message.
#[derive(Clone, Debug)]
pub struct End {
    /// The message's `messageId`; empty when it has none.
    pub message_id: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
    /// Why it was not taken.
    pub failure: Option<Failed>,
}

/// A failure in the words of the destination's `Failure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Its short name, as in metrics.
    pub code: &'static str,
    /// A sentence without personal data.
    pub reason: String,
}

impl End {
    /// How a call to Segment ended, which answers nothing but 200 to what it takes (Segment HTTP API docs, "Errors").
    pub fn at_segment(message_id: Option<&str>, outcome: &Outcome) -> Self {
        let failure = match outcome {
            Outcome::Delivered => None,
            Outcome::Retry { failure, .. } | Outcome::Rejected(failure) => Some(failure),
        };
        Self {
            message_id: message_id.unwrap_or_default().to_owned(),
            status: failure.map_or(Some(200), segment::Failure::status),
            failure: failure.map(|failure| Failed { code: failure.code(), reason: failure.to_string() }),
        }
    }
}

/// Who watches the attempts; by default nobody.
#[derive(Clone, Default)]
pub struct Watcher(Option<Arc<dyn Fn(Attempt) + Send + Sync>>);

impl Watcher {
    /// Somebody who is told of each attempt, and must not take long over it.
    pub fn new(watch: impl Fn(Attempt) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    /// Whether anybody watches.
    pub fn is_watching(&self) -> bool {
        self.0.is_some()
    }

    /// Tells of an attempt, which is only made up when somebody watches.
    pub fn tell(&self, attempt: impl FnOnce() -> Attempt) {
        if let Some(watch) = &self.0 {
            watch(attempt());
        }
    }
}
