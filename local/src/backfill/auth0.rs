//! `segue backfill auth0`.

mod columns;
mod export_file;
mod export_job;
mod fetch;
mod frames;

use std::path::PathBuf;

use clap::{Args, ValueHint};
use identity::Provider;
use segment::Secret;

use self::{export_file::ExportFile, export_job::ExportJob};
use super::{
    batch::Maker,
    checkpoint::{State, fingerprint},
    job::Job,
    options::CommonOptions,
    surroundings::Surroundings,
};
use crate::error::CommandError;

/// The route of Auth0's events that hold a whole user.
const ROUTE: &str = "auth0/events";

/// What `segue backfill auth0` takes.
#[derive(Args)]
pub struct Options {
    /// A user export: NDJSON or CSV, as it is or gzipped
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "domain", conflicts_with = "domain")]
    file: Option<PathBuf>,
    /// Ask this tenant for an export, such as tenant.eu.auth0.com
    #[arg(long, env = "AUTH0_DOMAIN", value_name = "DOMAIN", hide_env_values = true, requires = "token")]
    domain: Option<String>,
    /// A token of the Management API with the scope read:users
    #[arg(long, env = "AUTH0_MANAGEMENT_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    common: CommonOptions,
}

/// Identifies the users.
///
/// # Errors
/// A sentence that says what to do, or the exit code of an end that was said already.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let Options { file, domain, token, common } = options;
    let surroundings = Surroundings::new()?;
    let (what, identity) = match (&file, &domain) {
        (Some(file), _) => {
            let path = std::fs::canonicalize(file)
                .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
            (format!("Users of {}", file.display()), path.display().to_string())
        }
        (None, domain) => {
            let domain = domain.as_deref().unwrap_or_default();
            (format!("Users of {domain}"), domain.to_owned())
        }
    };
    let since = common.since.map(|since| since.to_string()).unwrap_or_default();
    let destination = common.destination();
    let name = format!("backfill-auth0-{}", fingerprint(&[&identity, &since, &destination]));
    let deployment = common.deployment.clone().unwrap_or_else(|| format!("backfill-{destination}"));
    let (config, hash_key) = (common.config(&deployment, None)?, common.hash_key()?);
    let maker = Maker { provider: Provider::named(ROUTE)?, config, hash_key, since: common.since };
    let mut state = match common.dry_run {
        true => None,
        false => Some(State::open(&common.data_dir, &name, &what, common.restart)?),
    };
    if state.as_ref().is_some_and(|state| state.checkpoint.finished) {
        return Job::new(&common, &what, state, maker, surroundings)?.was_finished();
    }
    let job = match (domain, token) {
        (Some(domain), Some(token)) if file.is_none() => {
            let job = ExportJob {
                domain: &domain,
                token: Secret::new(token),
                with_metadata: common.has_mappings(),
                directory: &common.data_dir,
                name: &name,
            };
            Some(job.fetched(state.as_mut(), &surroundings).await?)
        }
        _ => None,
    };
    let path = match (&job, file) {
        (Some(fetched), _) => fetched.path().to_owned(),
        (None, Some(file)) => file,
        (None, None) => return Err("give a file, or --domain and --token".into()),
    };
    let source = ExportFile::open(&path, state.as_mut(), job)?;
    Job::new(&common, &what, state, maker, surroundings)?.run(source).await
}
