//! Bodies and their messages, through the public functions of the crate.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in its helpers")]

mod auth0_documentation;
mod auth0_events;
mod auth0_formats;
mod auth0_logs;
mod auth0_properties;
mod auth0_sapi;
mod clerk;
mod cognito;
mod declarations;

mod existing;
mod fusionauth;
mod golden;
mod mapping;
mod okta;
mod okta_actor;
mod optional_members;
mod privacy;
mod properties;
mod protection;
mod support;
mod vendors;
