//! Options that several commands share.

pub mod mapping;
pub mod page_token;
pub mod segment;
pub mod server;
pub mod store;
pub mod warehouse;
