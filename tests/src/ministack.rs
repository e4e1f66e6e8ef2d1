//! ministack, an AWS that others wrote. The real `sam deploy` deploys to it what `sam build` made, and functions run
//! under its Lambda, before its SNS, SQS, DynamoDB and Secrets Manager. It checks signatures and permissions too.
//! So it is a second opinion on the template, on what updates do to a stack, and on what our own emulation of AWS
//! takes for granted. Faults, time and metrics are there alone.

mod deploy;
mod deployer;
mod deployment;
mod emulator;
mod release;
mod workarounds;

pub use self::{deployment::Deployment, emulator::Ministack, release::Release};
