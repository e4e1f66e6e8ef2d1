//! ministack, an independent AWS emulator. The real `sam deploy` deploys the artifacts of `sam build` to it.
//! The functions run under its Lambda and use its SNS, SQS, DynamoDB and Secrets Manager. It also checks
//! signatures and permissions. So it is a second opinion on the template, on updates of a stack, and on the
//! assumptions of our own emulation. Only our own emulation has faults, time and metrics.

mod deploy;
mod deployer;
mod deployment;
mod emulator;
mod release;
mod workarounds;

pub use self::{deployment::Deployment, emulator::Ministack, release::Release};
