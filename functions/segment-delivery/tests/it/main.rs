//! The function between a queue and a Segment that fails on demand.

#![allow(clippy::unwrap_used, reason = "clippy does not count test helpers as tests")]

mod conservation;
mod filters;
mod handler;
mod metrics;
mod support;
