//! Options that several commands take, and what they stand for.

pub mod mapping;
pub mod page_token;
pub mod segment;
pub mod server;
pub mod store;
