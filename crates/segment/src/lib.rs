//! The [Segment spec](https://segment.com/docs/connections/spec/) as a library: messages that are checked
//! before they are sent, batches within Segment's limits, and a client whose every call ends in exactly one
//! [`Outcome`]. The crate does not depend on queues or AWS.

mod batch;
mod channel;
mod check;
#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod exchange;
pub mod json;
mod message;
mod message_type;
mod outcome;
#[cfg(feature = "client")]
pub mod regulation;
pub mod retry_after;
mod secret;
pub mod timestamp;

pub use batch::{MAX_BATCH_BYTES, MAX_BATCH_MESSAGES, MAX_REQUEST_BYTES, split, split_within};
pub use channel::Channel;
pub use check::{
    InvalidMessage, MAX_MESSAGE_BYTES, MAX_MESSAGE_ID_CHARACTERS, Problem, SET_ON_RECEIPT,
    means_empty_object, tidy,
};
#[cfg(feature = "client")]
pub use client::{
    Attempt, Client, Credentials, CredentialsError, DEADLINE, Endpoint, EndpointError, Outgoing,
};
pub use message::{Library, Message, MessageError};
pub use message_type::MessageType;
pub use outcome::{Failure, Outcome};
pub use secret::Secret;
