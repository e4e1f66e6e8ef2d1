//! Records one event in Segment, and answers only after Segment took it.
//!
//! People, code or a schedule invoke it. [`Handler::handle`] reads the input ([`Event`]), sends it, and
//! retries as long as the invocation's time allows. It returns Segment's answer or a [`TrackError`], whose
//! type a caller can distinguish.

mod config;
mod error;
mod handler;
mod input;

pub use config::Config;
pub use error::TrackError;
pub use handler::{Handler, Invocation, MARGIN};
pub use input::Event;
