//! Takes deletions of users from the regulation queue and makes regulations of them at Segment's Public API.
//!
//! Every message that comes in ends in one of three ways: Segment took the regulation, the message is back in the
//! queue with a delay, or it is in the dead-letter queue with the reason. Where even that failed, its id is reported
//! and the queue hands it out again. A message that comes twice, as after a crash between the call and its deletion
//! from the queue, asks again for the same user: that does no harm, and counts once more towards the month's quota.

mod decode;
mod delivery;
mod handler;
mod month;
mod settle;
mod tokens;
mod users;

pub use handler::Handler;
pub use tokens::Tokens;
