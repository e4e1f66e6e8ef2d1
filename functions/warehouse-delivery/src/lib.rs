//! Takes messages from the warehouse queue and writes them into PostgreSQL in the table layout of Segment's warehouses.

mod catalogue;
mod database;
mod deletion;
mod destination;
mod digest;
mod discard;
mod examination;
mod failure;
mod layout;
pub mod name;
mod names;
mod prepare;
mod record;
mod repair;
mod schemas;
mod selection;
mod session;
mod sql;
mod tls;
pub mod value;
mod writer;

pub use self::{
    database::Database,
    destination::{DESTINATION, Routed, WarehouseDestination},
    examination::{Discarded, Examination},
    repair::{Repaired, repair},
    schemas::{Schemas, SchemasError},
    selection::{PatternError, Patterns, Selection},
};
