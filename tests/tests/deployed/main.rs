//! The functions as they are deployed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cognito_trigger;
mod fan_out;
mod identity_webhook;
mod ledger;
mod regulation_delivery;
mod segment_delivery;
mod template;
mod track_event;
mod tracking_api;
mod webhook_delivery;
mod world;
