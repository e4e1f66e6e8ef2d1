//! The AWS side against a service whose answers the test sets, called by the real SDK.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ledger;
mod queue;
mod quota;
mod service;
mod topic;
