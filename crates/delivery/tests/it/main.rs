//! The engine between a queue and test destinations.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are no tests to clippy")]

mod lines;
mod settlement;
