//! The webhook from its request to what is published, without Lambda and without a network.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]

mod auth0_documentation;
mod auth0_events;
mod auth0_formats;
mod auth0_logs;
mod auth0_properties;
mod auth0_sapi;
mod authentication;
mod bad_input;
mod clerk;
mod cognito;
mod final_refusals;
mod fusionauth;
mod key_sets;
mod log;
mod login;
mod mapping;
mod metrics;
mod okta;
mod okta_actor;
mod optional_members;
mod privacy;
mod properties;
mod protection;
mod samples;
mod support;
mod topic;
