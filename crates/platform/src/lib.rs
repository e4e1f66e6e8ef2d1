//! The services that every function needs: topic, queues, ledger, quota, secrets, clock, HTTP client and
//! telemetry.
//!
//! Each service that stores or sends something is a trait with two implementations: AWS (feature `aws`) and
//! SQLite (feature `sqlite`). The functions use the traits and do not know which one they run on.

#[cfg(feature = "aws")]
pub mod aws;
pub mod backoff;
pub mod clock;
pub mod delivery_state;
pub mod encoding;
pub mod http;
pub mod ledger;
pub mod queue;
pub mod quota;
pub mod rejected;
pub mod secrets;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod tally;
pub mod telemetry;
pub mod topic;
pub mod write_keys;
