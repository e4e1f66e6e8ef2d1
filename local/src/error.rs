//! The ends of a command that are not a success.

/// Why a command failed, with the sentence that says what to do.
pub type CommandError = Box<dyn std::error::Error>;

/// Nobody reads standard output any more, as after `head -1`. That is no failure.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output")]
pub struct OutputClosed;

/// An end with an exit code of its own, of which all was said already.
#[derive(Debug, thiserror::Error)]
#[error("exit code {0}")]
pub struct Exit(pub u8);
