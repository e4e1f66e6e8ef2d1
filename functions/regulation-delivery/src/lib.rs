//! Takes deletions of users from the regulation queue and makes regulations of them at Segment's Public API.
//!
//! A message that comes twice, as after a crash between the call and its deletion from the queue, asks again for the same
//! user: that does no harm, and counts once more towards the month's quota.

mod api;
mod destination;
mod month;
mod tokens;
mod users;

pub use self::{
    destination::{DESTINATION, Deletion, RegulationDestination},
    tokens::Tokens,
};
