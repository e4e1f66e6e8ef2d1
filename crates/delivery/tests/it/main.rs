//! The engine between a queue and destinations that are made for tests.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are no tests to clippy")]

mod lines;
mod settlement;
