//! The webhook from a request to the published messages, without Lambda and without a network.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]

mod authentication;
mod bad_input;
mod declared_proofs;
mod final_refusals;
mod forgery;
mod key_sets;
mod login;
mod metrics;
mod samples;
mod settings;
mod support;
mod topic;
