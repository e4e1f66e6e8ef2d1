//! The name of the deployment whose webhooks failed: it is part of their message ids.

use std::time::Duration;

use platform::embedded::{FILE, Store, StoreError};
use serde_json::Value;

use crate::{
    CommandError,
    backfill::{job::Surroundings, options::CommonOptions},
    serve,
};

/// How long a running server may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// The name that was given, or that of the store in the data directory.
///
/// # Errors
/// A sentence when there is neither.
pub async fn named(common: &CommonOptions, surroundings: &Surroundings) -> Result<String, CommandError> {
    if let Some(name) = &common.deployment {
        return Ok(name.clone());
    }
    if !common.data_dir.join(FILE).exists() {
        return Err(format!(
            "message ids can be those of the webhooks only when their deployment is known: give the stack's ARN with \
             --deployment, or the store's folder with --data-dir ({} has none)",
            common.data_dir.display()
        )
        .into());
    }
    let name = match Store::open(&common.data_dir, surroundings.clock.clone()) {
        Ok(store) => serve::deployment(&store).await?,
        Err(StoreError::InUse) => ask(common).await?,
        Err(error) => return Err(error.into()),
    };
    if common.segment.endpoint().is_some() {
        let directory = common.data_dir.display();
        surroundings.progress.say(&format!(
            "Message ids are those of the webhooks that the store in {directory} took; for those of a stack on AWS \
             give its ARN with --deployment."
        ));
    }
    Ok(name)
}

/// Asks the server that has the store open.
async fn ask(common: &CommonOptions) -> Result<String, CommandError> {
    let url = format!("http://{}/debugger/api/setup", serve::reachable(common.listen));
    let unknown = || {
        format!(
            "the store is in use, and what answers at {} does not tell its deployment; say with --listen where segue \
             serve listens, or name it with --deployment",
            common.listen
        )
    };
    let answer = platform::http::client()?.get(url).timeout(DEADLINE).send().await;
    let mut answer = answer.map_err(|_| unknown())?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    let setup: Value = serde_json::from_slice(&body).unwrap_or_default();
    setup["deployment"].as_str().map(str::to_owned).ok_or_else(|| unknown().into())
}
