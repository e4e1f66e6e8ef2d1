//! Delivers the messages of a queue to a destination. The engine is the same for every destination.
//!
//! - **Batch**: the messages that the queue hands out together. Each is an [`Item`].
//! - **Destination**: the service that receives the messages. A [`Destination`] reads a message, decides
//!   which messages are sent together, and makes the attempts.
//! - **Group**: the messages of one attempt.
//! - **Attempt**: one try to deliver a group.
//! - **Outcome**: the result of an attempt for one message: delivered, retry, refused or rejected. Without an
//!   attempt, it is the reason why there was none.
//! - **Failure**: the reason why a message was not taken, with a code for metrics and a sentence for people.
//! - **Settlement**: applies the outcomes of a batch. Each message is deleted from its queue, put back with a
//!   delay, or moved to the dead-letter queue with the reason. Only the settlement counts and logs outcomes.
//!   It also keeps the messages that a destination forgets.
//! - **Circuit breaker**: stops attempts at a target that keeps failing, and probes it.
//! - **Target**: one receiver within a destination, such as one webhook or one write key. Each has its own
//!   circuit breaker.

mod breaker;
mod destination;
mod engine;
mod outcome;
mod retries;
mod settlement;
mod watcher;

pub use self::{
    breaker::{Breakers, Limits, Permit},
    destination::{Attempt, Call, Destination, Group, Item, Join, Outcomes, Plan, Request},
    engine::Engine,
    outcome::{Failure, Outcome},
    retries::{Retries, Window},
    watcher::{MessageReport, Report, Watcher},
};
