//! The engine between a queue and test destinations.

#![allow(clippy::unwrap_used, reason = "clippy does not count test helpers as tests")]

mod lines;
mod settlement;
