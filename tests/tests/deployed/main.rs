//! The functions in their deployed form.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod alarms;
mod artifacts;
mod breakage;
mod cognito_trigger;
mod fan_out;
mod identity_webhook;
mod journey;
mod ledger;
mod make_deploy;
mod ministack;
mod parameters;
mod regulation_delivery;
mod safety;
mod segment_delivery;
mod subscriptions;
mod template;
mod track_event;
mod tracking_api;
mod troubles;
mod warehouse_delivery;
mod webhook_delivery;
mod world;
