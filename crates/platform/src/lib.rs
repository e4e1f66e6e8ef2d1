//! What the functions stand on: topic, queue, ledger, quota, secrets, clock, HTTP and telemetry. What stores or
//! sends has its AWS form (feature `aws`) and its SQLite form (feature `sqlite`), and the functions cannot
//! tell them apart.

#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
pub mod delivery_state;
pub mod encoding;
pub mod http;
pub mod ledger;
pub mod queue;
pub mod quota;
pub mod rejected;
pub mod retry;
pub mod secrets;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod tally;
pub mod telemetry;
pub mod topic;
pub mod write_keys;
