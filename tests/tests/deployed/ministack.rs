//! The artifacts of `sam build`, deployed with the real `sam deploy` to an independent AWS emulator. These
//! tests need the artifacts that `make test` builds.

mod journey;
mod removal;
mod updates;
mod upgrade;

use end_to_end::{Deployment, HttpRequest, Ministack, Release};
use serde_json::Value;

use crate::world::sample;

/// Returns the AWS and the release, if there are artifacts: `cargo test` alone builds none.
async fn begin() -> Option<(Ministack, Release)> {
    let release = Release::built()?;
    Some((Ministack::start().await, release))
}

/// Returns the answer to a login at Auth0.
async fn auth0_login(stack: &Deployment<'_>) -> Value {
    stack.send(HttpRequest::of_event(&sample("identity-webhook", "auth0.login.action"))).await.body
}
