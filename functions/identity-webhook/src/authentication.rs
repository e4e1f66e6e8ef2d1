//! The proofs of a sender: signed bodies, bearer tokens, HTTP Basic and a static header, each on its own or together.
//!
//! Every kind that is configured must pass. A provider that is not configured is refused, never let in.

mod body_hash;
mod crypto;
mod headers;
mod jwks;
mod keys;
mod member;
mod prove;
mod refusal;
mod requirements;
mod settings;
mod signed_message;

pub(crate) use jwks::KeySets;
pub use jwks::{KeySetError, key_set_size};
pub use member::{AddError, add_member};
pub use prove::NoSigningKey;
pub use refusal::Refusal;
pub use requirements::{Authentication, Proofs};
