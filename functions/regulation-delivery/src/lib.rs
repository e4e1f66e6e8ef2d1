//! Takes deletions of users from the regulation queue and creates regulations at Segment's Public API.
//!
//! A message can arrive twice, for example after a crash between the call and its deletion from the queue.
//! The second request for the same user does no harm, but it counts towards the month's quota.

mod api;
mod destination;
mod month;
mod tokens;
mod users;

pub use self::{
    destination::{DESTINATION, Deletion, RegulationDestination},
    tokens::Tokens,
};
