//! The table layout of Segment's warehouses.

pub mod name;
