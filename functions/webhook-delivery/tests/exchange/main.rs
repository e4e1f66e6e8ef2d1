//! The real client against receivers on the loopback, both well-behaved and broken ones, and the sent body
//! against a real Node.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "these are tests")]

mod answers;
mod bodies;
mod certificates;
mod connections;
mod deadline;
mod private_addresses;
mod protocols;
mod receiver;
mod setup;
#[path = "../../src/address/table.rs"]
mod table;
mod tls;
