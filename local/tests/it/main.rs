//! The real program: started, talked to over HTTP, killed.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "the helpers of tests are no tests to clippy")]

mod auth0;
mod backfill;
#[cfg(target_os = "linux")]
mod bounds;
mod commands;
mod completions;
mod cross_site;
mod debugger;
mod doctor;
mod durability;
#[cfg(target_os = "linux")]
mod faults;
mod libraries;
mod live;
mod manners;
mod page;
mod process;
mod program;
mod regulations;
mod rejected;
mod screen;
mod segment;
mod serve;
mod settings;
mod stand_in;
mod store;
mod terminal;
mod tracking;
mod webhooks;
