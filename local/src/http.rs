//! HTTP: connections, the checks of a request's head, its body, and the routes.

pub mod bodies;
mod caller;
pub mod connections;
pub mod health;
pub mod names;
pub mod router;
mod throttle;
