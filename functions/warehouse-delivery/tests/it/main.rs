//! PostgreSQL as a destination, on real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod calls;
mod columns;
mod connection;
mod conservation;
mod copy;
mod deletion;
mod faults;
mod hostile;
mod latest;
mod repair;
mod selection;
mod support;
mod together;
