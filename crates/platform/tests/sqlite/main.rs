//! The topic and queues in SQLite, through their files.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "the helpers of tests are no tests to clippy")]

mod clock;
mod damage;
mod dead_letters;
mod files;
mod queue;
mod rejected;
mod start;
mod support;
mod writer;
