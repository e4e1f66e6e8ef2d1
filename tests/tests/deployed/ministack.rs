//! What `sam build` made, deployed by the real `sam deploy` to an AWS that others wrote. These tests need the artifacts
//! that `make test` builds.

mod journey;
mod removal;
mod updates;
mod upgrade;

use end_to_end::{Ministack, Release};

/// The AWS and what to deploy to it, where there are artifacts: `cargo test` alone builds none.
async fn begin() -> Option<(Ministack, Release)> {
    let release = Release::built()?;
    Some((Ministack::start().await, release))
}
