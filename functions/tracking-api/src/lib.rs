//! Segment's HTTP API. Any Segment library works when its host is set to this function.
//!
//! [`Handler::handle`] processes a request: route, body, write keys. Then each message is completed as
//! Segment completes it, checked, and published to the topic. An answer of 200 means that every message is
//! stored. An answer that lists `invalid` messages means that all others are stored.

mod body;
mod checked;
mod enrich;
mod handler;
mod intake;
mod keys_in_body;
mod merge;
mod pixel;
mod recent;
mod rejected;
mod response;
mod route;
mod write_key;

pub use handler::{Handler, MAX_BODY_BYTES, PUBLISH_DEADLINE};
pub use response::Rejected;

/// Whether a path belongs to Segment's HTTP API.
pub fn is_call(path: &str) -> bool {
    route::find(path).is_some()
}
