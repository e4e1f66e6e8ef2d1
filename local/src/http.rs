//! The HTTP server: connections, checks of a request's headers, bodies, and routes.

pub mod bodies;
mod caller;
pub mod connections;
pub mod health;
pub mod names;
pub mod router;
mod throttle;
