//! The authentication of a sender: signed bodies, bearer tokens, HTTP Basic and a static header, alone or
//! combined.
//!
//! If several kinds are configured, a request must pass all of them. A provider without configuration is
//! always refused.

mod body_hash;
mod crypto;
mod headers;
mod hmac;
mod jwks;
mod keys;
mod refusal;
mod requirements;
mod sample_proof;
mod secret_member;
mod settings;

pub(crate) use jwks::KeySets;
pub use jwks::{KeySetError, key_set_size};
pub use refusal::Refusal;
pub use requirements::{Authentication, Proofs};
pub use sample_proof::NoSigningKey;
pub use secret_member::{AddError, add_member};
