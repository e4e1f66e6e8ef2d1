//! Takes messages from the webhook queue and posts them, signed, to up to five webhooks.
//!
//! A new message goes to all webhooks at once. For each webhook that does not take it, a separate message
//! with that webhook's name is put back into the queue. So a webhook that succeeded never gets the message
//! again, and a dead webhook delays no other. After four hours of attempts, or when a webhook permanently
//! refuses it, the message goes to the dead-letter queue with the reason.

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
