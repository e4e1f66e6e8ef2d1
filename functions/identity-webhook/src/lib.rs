//! Receives the webhooks of identity providers and publishes them as Segment messages.
//!
//! [`Handler::handle`] processes a request: route, size, authentication over the raw bytes, then the mapping
//! of the crate `identity`, then the topic. An answer of 200 means that every message of the body is stored.
//! The row of a provider in that crate describes its authentication as data; this crate implements it.

mod authentication;
mod handler;
mod login;
mod response;

pub use authentication::{
    AddError, Authentication, KeySetError, NoSigningKey, Proofs, Refusal, add_member, key_set_size,
};
pub use handler::{Answer, Handler, MAX_BODY_BYTES, address_of};
