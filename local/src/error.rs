//! Why a command ends without success.

/// Why a command failed. Its text says what to do.
pub type CommandError = Box<dyn std::error::Error>;

/// The reader of standard output is gone, as after `head -1`. It is not a failure.
#[derive(Debug, thiserror::Error)]
#[error("the reader of the output is gone")]
pub struct OutputClosed;

/// An end with its own exit code, whose reason is already printed.
#[derive(Debug, thiserror::Error)]
#[error("exit code {0}")]
pub struct Exit(pub u8);
