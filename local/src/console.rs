//! The terminal: input, results, notes and the log. Everything printed passes through here.

pub mod input;
pub mod logging;
pub mod output;
pub mod redact;
pub mod terminal;
