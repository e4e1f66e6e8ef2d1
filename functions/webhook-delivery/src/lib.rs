//! Takes messages from the webhook queue and posts them, signed, to up to five webhooks.
//!
//! A fresh message goes to all webhooks at once. For each that does not take it, an entry of its own goes back
//! into the queue, with that webhook's name on it: those that succeeded never get it again, and a dead one holds up
//! nobody. After four hours of attempts, or when a webhook refuses it for good, it is in the dead-letter queue with
//! the reason.

mod address;
mod destination;
mod exchange;
mod failure;
mod headers;
mod lane;
mod payload;
mod resolver;
mod signature;
pub mod stringify;
mod webhooks;

pub use address::is_public;
pub use destination::{Target, WEBHOOK, WebhookDestination};
pub use exchange::{Answer, DEADLINE, Exchange, Options};
pub use failure::Failure;
pub use payload::Outgoing;
pub use webhooks::{MAX_WEBHOOKS, Success, Webhook, Webhooks, name};
