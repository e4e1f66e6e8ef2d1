//! The topic and queues in SQLite, through their files.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, reason = "clippy does not count test helpers as tests")]

mod clock;
mod damage;
mod dead_letters;
mod files;
mod queue;
mod rejected;
mod start;
mod support;
mod writer;
