//! A destination, and the types that it and the engine exchange.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use platform::{queue::Received, topic::Attributes};

use crate::{Failure, Outcome, Retries};

/// Where the messages of a queue go.
pub trait Destination: Send + Sync + Sized + 'static {
    /// A message of the queue, once it is read.
    type Message: Send + Sync + 'static;
    /// Where the messages of a group go.
    type Target: Send + Sync + 'static;

    /// Whether the subscription wants a message with these attributes. SNS may take up to 15 minutes to apply a filter
    /// policy (SNS Developer Guide, "Amazon SNS subscription filter policies"), so it is applied here once more.
    fn wants(attributes: &Attributes) -> bool;

    /// Reads a message.
    ///
    /// # Errors
    /// Why it can never be delivered.
    fn decode(&self, received: &Received) -> Result<Self::Message, Failure>;

    /// The `messageId`s of what one message of the queue holds, each empty when there is none.
    fn message_ids(message: &Self::Message) -> Vec<&str>;

    /// Sorts a batch into groups. A message may be in several.
    fn plan(&self, batch: Vec<Arc<Item<Self::Message>>>) -> impl Future<Output = Plan<Self>> + Send;

    /// Tries to deliver a group.
    fn attempt(&self, group: &Group<Self>) -> impl Future<Output = Attempt> + Send;

    /// How long a batch takes at least in which so many messages were tried, for a destination that takes no more.
    fn least_time(&self, _messages: usize) -> Duration {
        Duration::ZERO
    }
}

/// A message of a batch.
#[derive(Debug)]
pub struct Item<M> {
    /// Where it stands in its batch.
    pub(crate) index: usize,
    /// As the queue handed it out.
    pub received: Received,
    /// As the destination read it.
    pub message: M,
}

/// The messages of one attempt.
pub struct Group<D: Destination> {
    /// Where they go.
    pub target: D::Target,
    /// The messages.
    pub items: Vec<Arc<Item<D::Message>>>,
    /// The attribute that keeps a message to this target when it goes back. Without one it is for all targets again.
    pub target_attribute: Option<(&'static str, String)>,
    /// Makes the body of one message that goes back in the place of several which failed together. Without it each goes
    /// back for itself.
    pub join: Option<Join<D::Message>>,
}

/// Makes one body of the messages of several.
pub type Join<M> = fn(&[&M]) -> String;

impl<D: Destination> Group<D> {
    /// A group whose messages go back each for itself, for all targets.
    pub fn new(target: D::Target, items: Vec<Arc<Item<D::Message>>>) -> Self {
        Self { target, items, target_attribute: None, join: None }
    }
}

/// A batch, sorted.
pub struct Plan<D: Destination> {
    /// The attempts to make.
    pub groups: Vec<Group<D>>,
    /// The messages that need no attempt.
    pub settled: Vec<(Arc<Item<D::Message>>, Outcome)>,
    /// How the messages are retried.
    pub retries: Retries,
}

/// An attempt, as a destination made it.
#[derive(Debug)]
pub struct Attempt {
    /// The destination, as metrics name it.
    pub destination: String,
    /// How it ended.
    pub outcomes: Outcomes,
    /// The call that was made, if one was.
    pub call: Option<Call>,
    /// Attempts at other targets with the same messages. They are reported, and decide nothing.
    pub beside: Vec<Attempt>,
}

/// How an attempt ended for its messages.
#[derive(Debug)]
pub enum Outcomes {
    /// For each in its own way, in their order.
    Each(Vec<Outcome>),
    /// For all in the same way. The messages that go back are [joined](Group::join).
    All(Outcome),
}

/// A call to a destination.
#[derive(Debug)]
pub struct Call {
    /// When it began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The HTTP status of the answer: where outcomes differ, that of those which were delivered.
    pub status: Option<u16>,
    /// The request, where a single one was made and is to be shown.
    pub request: Option<Request>,
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

impl Attempt {
    /// An attempt that ended before a call was made, or one whose call nobody can look at.
    pub fn without_call(destination: impl Into<String>, outcomes: Outcomes) -> Self {
        Self { destination: destination.into(), outcomes, call: None, beside: Vec::new() }
    }

    /// An attempt with a call.
    pub fn with_call(destination: impl Into<String>, outcomes: Outcomes, call: Call) -> Self {
        Self { call: Some(call), ..Self::without_call(destination, outcomes) }
    }
}
