//! The deployed shape in one process tree: each function's real binary under an emulator of the Lambda Runtime
//! API, before AWS as moto emulates it. What AWS does between the services (handing a queue's messages to a
//! function, with partial failures) is done here.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test support: what cannot go on has failed")]

mod aws;
mod binaries;
mod lambda;
mod samples;
pub mod template;
pub mod tools;

pub use aws::{Aws, Queues};
pub use lambda::{Failure, Lambda};
pub use samples::samples;
