//! The function from its input to Segment's answer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod handler;
mod input;
mod metrics;
mod samples;
mod setup;
