//! The webhook from its request to what is published, without Lambda and without a network.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]

mod authentication;
mod bad_input;
mod key_sets;
mod login;
mod mapping;
mod properties;
mod samples;
mod support;
mod topic;
