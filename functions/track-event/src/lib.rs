//! Records one event in Segment, and answers only when Segment took it.
//!
//! It is invoked by hand, from code, or by a schedule. [`Handler::handle`] reads the input ([`Event`]), sends
//! it, tries again as long as the invocation's time allows, and ends in Segment's answer or in a [`TrackError`]
//! whose type a caller can switch on.

mod config;
mod error;
mod handler;
mod input;

pub use config::Config;
pub use error::TrackError;
pub use handler::{Handler, Invocation, MARGIN};
pub use input::Event;
