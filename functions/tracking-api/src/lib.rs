//! Segment's HTTP API, so that any Segment library works whose host points here.
//!
//! A request passes [`Handler::handle`]: route, body, write keys, then each message is completed as Segment
//! does it, checked, and published to the topic. An answer of 200 means that every message is stored; one of 400
//! that lists `invalid` messages means that all others are.

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

/// Whether a path is one of Segment's HTTP API.
pub fn is_call(path: &str) -> bool {
    route::find(path).is_some()
}
