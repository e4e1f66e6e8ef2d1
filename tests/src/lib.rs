//! The deployed shape on one machine: the template as SAM and CloudFormation make a stack of it, each function's real
//! binary under an emulator of the Lambda Runtime API, before AWS as moto emulates it. What AWS does between the
//! services (routes, permissions, queues handed to functions with partial failures, the schedule) is done here.
//!
//! Beside it, `sam build`'s artifacts in an AWS that others wrote: [`Ministack`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test support: what cannot go on has failed")]

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
