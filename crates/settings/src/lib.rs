//! The parts that the settings of all functions share. They know nothing of where settings come from.

pub mod nearest;
mod weakness;

use segment::Library;
pub use weakness::weakness;

/// The sender that Segment shows.
pub const LIBRARY: Library = Library { name: "segue", version: env!("CARGO_PKG_VERSION") };

/// The name of the write key that messages use which name none.
pub const DEFAULT_WRITE_KEY: &str = "default";

/// Everything that is wrong with the environment, one problem a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);
