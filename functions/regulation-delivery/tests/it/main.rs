//! The function between a queue and a Public API that fails on demand.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are no tests to clippy")]

mod conservation;
mod filters;
mod handler;
mod metrics;
mod quota;
mod support;
