//! Tests of the real program: they start it, call it over HTTP and kill it.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "clippy does not see test helpers as tests")]

mod auth0;
mod backfill;
#[cfg(target_os = "linux")]
mod bounds;
mod commands;
mod completions;
mod conventions;
mod cross_site;
mod debugger;
mod doctor;
mod durability;
#[cfg(target_os = "linux")]
mod faults;
mod libraries;
mod live;
mod page;
mod process;
mod program;
mod provider_files;
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
mod warehouse;
mod webhooks;
