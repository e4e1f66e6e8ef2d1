//! `segue backfill auth0`.

mod columns;
mod export_job;
mod fetch;

use std::path::PathBuf;

use clap::{Args, ValueHint};
use segment::Secret;

use self::export_job::ExportJob;
pub use self::{
    columns::{Columns, normalized},
    export_job::FetchedFile,
};
use super::{
    batch::{ProviderMapper, RecordMapper},
    checkpoint::{State, fingerprint},
    context::Context,
    destination::Kind,
    export_file::{ExportFile, Form},
    job::Job,
    options::{CommonOptions, ProviderOptions},
};
use crate::error::CommandError;

/// The route of the Auth0 events that hold a whole user.
const ROUTE: &str = "auth0/events";

/// Options of `segue backfill auth0`.
#[derive(Args)]
pub struct Options {
    /// A user export: NDJSON or CSV, gzipped or not
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath, required_unless_present = "domain", conflicts_with = "domain")]
    file: Option<PathBuf>,
    /// Request an export from this tenant, such as tenant.eu.auth0.com
    #[arg(long, env = "AUTH0_DOMAIN", value_name = "DOMAIN", hide_env_values = true, requires = "token")]
    domain: Option<String>,
    /// A token of the Management API with the scope read:users
    #[arg(long, env = "AUTH0_MANAGEMENT_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    provider: ProviderOptions,
    #[command(flatten)]
    common: CommonOptions,
}

/// Identifies the users.
///
/// # Errors
/// A sentence that says what to do, or the exit code when the reason is already printed.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let Options { file, domain, token, provider, common } = options;
    let context = Context::new()?;
    let (what, identity) = match (&file, &domain) {
        (Some(file), _) => {
            let path = std::fs::canonicalize(file)
                .map_err(|error| format!("{} cannot be read: {error}; check the path", file.display()))?;
            (format!("Users of {}", file.display()), path.display().to_string())
        }
        (None, domain) => {
            let domain = domain.as_deref().unwrap_or_default();
            (format!("Users of {domain}"), domain.to_owned())
        }
    };
    let since = common.since.map(|since| since.to_string()).unwrap_or_default();
    let destination = common.destination_fingerprint(&context)?;
    let name = format!("backfill-auth0-{}", fingerprint(&[&identity, &since, &destination]));
    let deployment = provider.deployment.clone().unwrap_or_else(|| format!("backfill-{destination}"));
    let (config, hash_key) = (provider.config(&deployment, None)?, provider.hash_key()?);
    let takes_deletions = common.to == Kind::Warehouse;
    let mapper = ProviderMapper {
        provider: config.providers().named(ROUTE)?,
        config,
        hash_key,
        since: common.since,
        takes_deletions,
    };
    let mapper = RecordMapper::Provider(Box::new(mapper));
    let mut state = match common.dry_run {
        true => None,
        false => Some(State::open(&common.data_dir, &name, &what, common.restart)?),
    };
    if state.as_ref().is_some_and(|state| state.checkpoint.finished) {
        return Job::new(&common, &what, state, mapper, context)?.report_already_finished();
    }
    let job = match (domain, token) {
        (Some(domain), Some(token)) if file.is_none() => {
            let job = ExportJob {
                domain: &domain,
                token: Secret::new(token),
                with_metadata: provider.has_mappings(),
                directory: &common.data_dir,
                name: &name,
            };
            Some(job.fetch_file(state.as_mut(), &context).await?)
        }
        _ => None,
    };
    let path = match (&job, file) {
        (Some(fetched), _) => fetched.path().to_owned(),
        (None, Some(file)) => file,
        (None, None) => return Err("name an export file, or pass --domain and --token".into()),
    };
    let source = ExportFile::open(&path, Form::Users, state.as_mut(), job)?;
    Job::new(&common, &what, state, mapper, context)?.run(source).await
}
