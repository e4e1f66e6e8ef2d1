//! AWS as a function sees it: an emulator, with the permissions and failures of the real AWS in front of it.

mod call;
mod emulator;
mod gateway;
mod policy;

pub use self::{call::Service, gateway::Trouble};

pub(crate) use self::{
    emulator::{Emulator, REGION, config},
    gateway::Gateway,
    policy::{DECRYPT, Policies, lets_in, matches},
};

/// The AWS account of all resources.
pub(crate) const ACCOUNT: &str = "123456789012";
