//! What every function's configuration shares.

use segment::Library;

/// The sender that Segment shows.
pub const LIBRARY: Library = Library { name: "segue", version: env!("CARGO_PKG_VERSION") };

/// Everything that is wrong with the environment, one problem a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);
