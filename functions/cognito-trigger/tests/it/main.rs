//! The trigger from its event to what is published, without Lambda and without a network.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]

mod failures;
mod samples;
mod support;
