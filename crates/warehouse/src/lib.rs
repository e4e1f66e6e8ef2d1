//! The table layout of Segment's warehouses on PostgreSQL.

pub mod name;
pub mod value;
