//! Takes messages from the Segment queue and sends them to Segment in batches.
//!
//! Every message that comes in ends in one of three ways: Segment took it, it is back in the queue with a
//! delay, or it is in the dead-letter queue with the reason. Where even that failed, its id is reported and
//! the queue hands it out again.

mod decode;
mod handler;
mod pace;
mod settle;

pub use self::{handler::Handler, pace::Pace};
