//! The parts of settings that all functions share. They do not depend on where settings come from.

pub mod nearest;
mod weakness;

use segment::Library;
pub use weakness::weakness;

/// The library that Segment shows as the sender.
pub const LIBRARY: Library = Library { name: "segue", version: env!("CARGO_PKG_VERSION") };

/// The name of the write key for messages that name none.
pub const DEFAULT_WRITE_KEY: &str = "default";

/// Every problem with the environment, one per line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);
