//! The terminal: input, results, notes, the log, and the guard of all that is shown there.

pub mod input;
pub mod logging;
pub mod output;
pub mod redact;
pub mod terminal;
