//! The AWS side against a service that answers as the test says, spoken to by the real SDK.

mod queue;
mod service;
mod topic;
