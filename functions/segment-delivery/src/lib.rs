//! Takes messages from the Segment queue and sends them to Segment in batches.

mod destination;
mod pace;

pub use self::{
    destination::{DESTINATION, SegmentDestination, Target},
    pace::Pace,
};
