//! Publishes Segment messages for sign-ups and logins. A Cognito user pool invokes this function.
//!
//! The user waits for the answer, which is the event itself. Without an answer in time, the sign-up or the
//! login fails. So [`Trigger::handle`] always returns the event, after [`DEADLINE`] at the latest. A message
//! that could not be stored by then is lost, and the log says so.

mod guarded;
mod trigger;

pub use trigger::{DEADLINE, START_DEADLINE, Trigger, not_set_up};
