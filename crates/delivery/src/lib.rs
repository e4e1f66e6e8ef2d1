//! Brings the messages of a queue to a destination, for every destination in the same way.
//!
//! - **Batch**: the messages that the queue hands out together. Each is an [`Item`].
//! - **Destination**: where they go. A [`Destination`] says how to read a message, which messages go together, and
//!   how to make an attempt.
//! - **Group**: the messages of one attempt.
//! - **Attempt**: one try to deliver a group.
//! - **Outcome**: how an attempt ended for a message: delivered, retry, refused, rejected; or why there was none.
//! - **Failure**: why a message was not taken, with a code for metrics and a sentence for people.
//! - **Settlement**: carries the outcomes of a batch out. A message is deleted from its queue, put back with a delay,
//!   or moved to the dead-letter queue with the reason. It is the one place that counts and logs this, and it loses no
//!   message that a destination forgets.
//! - **Breaker**: stops attempts at a destination that keeps failing, and probes it.

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
