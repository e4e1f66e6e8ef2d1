//! Takes the webhooks of identity providers and publishes them as Segment messages.
//!
//! A request passes [`Handler::handle`]: route, size, authentication over the raw bytes, then the provider's
//! mapping, then the topic. An answer of 200 means that every message made from the body is stored. What a
//! provider's bodies look like is known only in its file under `providers`, what becomes of them only in
//! `mappings.toml`; [`map`] is that alone, without authentication and without publishing.

mod authentication;
mod config;
pub mod credentials;
mod doubts;
mod handler;
mod login;
mod mapping;
mod providers;
mod response;

pub use authentication::{
    AddError, Authentication, KeySetError, Proofs, Refusal, Unprovable, add_member, key_set_size,
    makes_its_secret,
};
pub use config::Config;
pub use doubts::{doubts, log_doubts};
pub use handler::{Handler, MAX_BODY_BYTES, address_of};
pub use mapping::{
    BUILT_IN, HashKey, Ignored, MapError, Mapped, Mapping, Mappings, MappingsError, Position, Unusable,
    changed_at, explain, identify_user, map,
};
pub use providers::addresses;
