//! Takes messages from the webhook queue and posts them, signed, to up to five webhooks.
//!
//! A fresh message goes to all webhooks at once. For each that does not take it, an entry of its own goes back
//! into the queue, with that webhook's name on it: those that succeeded never get it again, and a dead one holds up
//! nobody. After four hours of attempts, or when a webhook refuses it for good, it is in the dead-letter queue with
//! the reason.

mod address;
pub mod body;
mod config;
mod exchange;
mod handler;
mod headers;
mod lane;
mod outcome;
mod payload;
mod plan;
mod resolver;
mod schedule;
mod settle;
mod signature;

pub use address::is_public;
pub use config::{MAX_WEBHOOKS, Success, Webhook, Webhooks, name};
pub use exchange::{Answer, DEADLINE, Exchange, Options};
pub use handler::Handler;
pub use outcome::{Failure, Outcome};
pub use plan::WEBHOOK;
