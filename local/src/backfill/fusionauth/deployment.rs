//! The name of the deployment whose webhooks failed: it is part of their message ids.

use platform::embedded::{FILE, Store, StoreError};

use crate::{
    backfill::{options::CommonOptions, surroundings::Surroundings},
    error::CommandError,
    options::{page_token, store},
};

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
        Ok(store) => store::deployment(&store).await?,
        Err(StoreError::InUse) => ask(common).await?,
        Err(error) => return Err(store::unusable(&common.data_dir, &error)),
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
    let token = page_token::of_server(&common.server.host(), common.page_token.as_deref(), &common.data_dir);
    let setup = common.server.get("setup", token.as_ref()).await.map_err(|error| {
        format!("message ids need the deployment's name: {error}; or name it with --deployment")
    })?;
    let name = setup["deployment"].as_str().map(str::to_owned);
    name.ok_or_else(|| {
        "the running segue serve does not tell its deployment; name it with --deployment".into()
    })
}
