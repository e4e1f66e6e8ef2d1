//! Is invoked by a Cognito user pool when somebody has signed up or logged in, and publishes that as Segment messages.
//!
//! The user waits for the answer, which is the event itself: without it, or too late, the sign-up or the login
//! fails. So [`Trigger::handle`] gives it back whatever happens, after [`DEADLINE`] at the latest. A message that could not
//! be stored by then is lost; the log says so.

mod contained;
mod trigger;

pub use trigger::{DEADLINE, START_DEADLINE, Trigger, not_set_up};
