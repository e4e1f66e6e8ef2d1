//! The deployed stack on one machine. SAM and CloudFormation's rules turn the template into a stack. Each
//! function's real binary runs under an emulator of the Lambda Runtime API, with moto as AWS. This crate does
//! the work of AWS between the services: routes, permissions, queues that invoke functions with partial
//! failures, and the schedule.
//!
//! [`Ministack`] deploys the artifacts of `sam build` to an independent AWS emulator.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test support: a failure ends the test")]

mod alarms;
mod binaries;
mod cloud;
mod http;
mod lambda;
mod metrics;
mod ministack;
mod samples;
mod stack;
pub mod template;
pub mod tools;

pub use binaries::artifacts;
pub use cloud::{Service, Trouble};
pub use http::{HttpRequest, Reply};
pub use lambda::{Failure, Function};
pub use ministack::{Deployment, Ministack, Release};
pub use samples::samples;
pub use stack::{Queue, Setup, Stack};
