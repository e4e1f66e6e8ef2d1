//! The API from a request to the published messages, without Lambda and without a network.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]

mod batches;
mod bodies;
mod clients;
mod messages;
mod metrics;
mod peers;
mod pixels;
mod properties;
mod rejected;
mod routes;
mod samples;
mod support;
mod times;
mod topic;
mod write_keys;
