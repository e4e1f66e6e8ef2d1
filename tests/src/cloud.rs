//! AWS as a function meets it: an emulator, and before it the permissions and the troubles of the real one.

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

/// The account that everything is in.
pub(crate) const ACCOUNT: &str = "123456789012";
