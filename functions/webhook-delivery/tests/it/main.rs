//! The function between a queue and webhooks that fail on demand.

#![allow(clippy::unwrap_used, reason = "clippy does not count test helpers as tests")]

mod any;
mod batches;
mod conservation;
mod dead_letters;
mod filters;
mod handler;
mod lanes;
mod metrics;
mod receivers;
mod retries;
mod settings;
mod support;
mod tls;
