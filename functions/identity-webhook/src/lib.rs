//! Takes the webhooks of identity providers and publishes them as Segment messages.
//!
//! A request passes [`Handler::handle`]: route, size, authentication over the raw bytes, then the mapping of the crate
//! `identity`, then the topic. An answer of 200 means that every message made from the body is stored. How a provider
//! proves itself stands as data in its row of that crate; only what the data mean is known here.

mod authentication;
mod handler;
mod login;
mod response;

pub use authentication::{
    AddError, Authentication, KeySetError, NoSigningKey, Proofs, Refusal, add_member, key_set_size,
};
pub use handler::{Answer, Handler, MAX_BODY_BYTES, address_of};
