//! The destination trait, and the types that a destination and the engine exchange.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use platform::{queue::Received, topic::Attributes};

use crate::{Failure, Outcome, Retries};

/// A service that receives the messages of a queue.
pub trait Destination: Send + Sync + Sized + 'static {
    /// A message of the queue, as the destination reads it.
    type Message: Send + Sync + 'static;
    /// The target of a group, such as one webhook.
    type Target: Send + Sync + 'static;

    /// Whether the destination's subscription wants a message with these attributes. SNS can take up to 15
    /// minutes to apply a changed filter policy (SNS Developer Guide, "Amazon SNS subscription filter
    /// policies"), so the engine applies the filter again.
    fn wants(attributes: &Attributes) -> bool;

    /// Reads a message.
    ///
    /// # Errors
    /// Why the message can never be delivered.
    fn decode(&self, received: &Received) -> Result<Self::Message, Failure>;

    /// Returns the `messageId`s of one message of the queue, which may hold several. An id is empty if there
    /// is none.
    fn message_ids(message: &Self::Message) -> Vec<&str>;

    /// Sorts a batch into groups. A message may be in several groups.
    fn plan(&self, batch: Vec<Arc<Item<Self::Message>>>) -> impl Future<Output = Plan<Self>> + Send;

    /// Tries to deliver a group.
    fn attempt(&self, group: &Group<Self>) -> impl Future<Output = Attempt> + Send;

    /// Returns the shortest time that a batch with this many attempted messages may take, to limit the rate.
    fn least_time(&self, _messages: usize) -> Duration {
        Duration::ZERO
    }
}

/// A message of a batch.
#[derive(Debug)]
pub struct Item<M> {
    /// Its index in the batch.
    pub(crate) index: usize,
    /// The message as the queue handed it out.
    pub received: Received,
    /// The message as the destination read it.
    pub message: M,
}

/// The messages of one attempt, and their target.
pub struct Group<D: Destination> {
    /// The target.
    pub target: D::Target,
    /// The messages.
    pub items: Vec<Arc<Item<D::Message>>>,
    /// The attribute that binds a message to this target when it is put back. Without it, the message is for
    /// all targets again.
    pub target_attribute: Option<(&'static str, String)>,
    /// Joins the failed messages into the body of one message. Without it, each message is put back
    /// separately.
    pub join: Option<Join<D::Message>>,
}

/// Joins several messages into one body.
pub type Join<M> = fn(&[&M]) -> String;

impl<D: Destination> Group<D> {
    /// Returns a group whose failed messages are put back separately, for all targets.
    pub fn new(target: D::Target, items: Vec<Arc<Item<D::Message>>>) -> Self {
        Self { target, items, target_attribute: None, join: None }
    }
}

/// The groups of a batch.
pub struct Plan<D: Destination> {
    /// The attempts to make.
    pub groups: Vec<Group<D>>,
    /// The messages that need no attempt, with their outcomes.
    pub settled: Vec<(Arc<Item<D::Message>>, Outcome)>,
    /// How the messages are retried.
    pub retries: Retries,
}

/// One attempt of a destination.
#[derive(Debug)]
pub struct Attempt {
    /// The destination's name in metrics.
    pub destination: String,
    /// The outcomes of its messages.
    pub outcomes: Outcomes,
    /// The call, if one was made.
    pub call: Option<Call>,
    /// A sentence for people about each message, in order, or none at all.
    pub notes: Vec<String>,
    /// Attempts at other targets with the same messages. They are reported, but do not affect the outcomes.
    pub other_attempts: Vec<Attempt>,
}

/// The outcomes of an attempt.
#[derive(Debug)]
pub enum Outcomes {
    /// One outcome for each message, in order.
    Each(Vec<Outcome>),
    /// The same outcome for all messages. Those that are put back are [joined](Group::join).
    All(Outcome),
}

/// A call to a destination.
#[derive(Debug)]
pub struct Call {
    /// The time at which it began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The HTTP status of the answer. If the outcomes differ, it is the status of the delivered messages.
    pub status: Option<u16>,
    /// The request, if there was a single one and it may be shown.
    pub request: Option<Request>,
}

/// A request as it was sent. It holds personal data, and its headers may hold secrets.
#[derive(Clone, Debug)]
pub struct Request {
    /// The URL.
    pub url: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Attempt {
    /// Returns an attempt that ended before a call was made, or whose call cannot be shown.
    pub fn without_call(destination: impl Into<String>, outcomes: Outcomes) -> Self {
        let (notes, other_attempts) = (Vec::new(), Vec::new());
        Self { destination: destination.into(), outcomes, call: None, notes, other_attempts }
    }

    /// Returns an attempt with a call.
    pub fn with_call(destination: impl Into<String>, outcomes: Outcomes, call: Call) -> Self {
        Self { call: Some(call), ..Self::without_call(destination, outcomes) }
    }
}
