//! `segue backfill fusionauth`.

mod event_log;
mod row_pager;
mod users;

use clap::Args;
use platform::sqlite::{FILE, Store, StoreError};
use segment::Secret;
use serde_json::json;

use self::{
    event_log::{EntryFilter, EventLog},
    users::Users,
};
use super::{
    api::{Api, ApiDescription},
    batch::{ProviderMapper, RecordMapper},
    checkpoint::{State, fingerprint},
    context::Context,
    destination::Kind,
    job::Job,
    options::{CommonOptions, ProviderOptions},
};
use crate::{
    error::CommandError,
    options::{page_token, store},
};

const ROUTE: &str = "fusionauth";

const FUSIONAUTH: ApiDescription = ApiDescription {
    name: "FusionAuth",
    address: "--url",
    credentials: "FUSIONAUTH_API_KEY must be an API key that allows POST to /api/user/search; for --event-log a \
                  global one that allows POST to /api/system/webhook-event-log/search and GET \
                  /api/system/webhook-event-log (FusionAuth: Settings, API Keys)",
};

/// Options of `segue backfill fusionauth`.
#[derive(Args)]
pub struct Options {
    /// FusionAuth's address, such as `https://auth.example.com`
    #[arg(long, env = "FUSIONAUTH_URL", value_name = "URL", hide_env_values = true, value_parser = url)]
    url: String,
    /// A FusionAuth API key
    #[arg(long, env = "FUSIONAUTH_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: String,
    /// Only the users of this FusionAuth tenant
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Send the events that webhooks failed to deliver, instead of the users. The message ids are those of
    /// the webhooks
    #[arg(long)]
    event_log: bool,
    /// With --event-log: only events that this FusionAuth webhook failed to deliver
    #[arg(long, value_name = "URL", requires = "event_log")]
    webhook_url: Option<String>,
    /// With --event-log: also events that were delivered
    #[arg(long, requires = "event_log", conflicts_with = "webhook_url")]
    all: bool,
    /// Write key names by FusionAuth tenant id, as a JSON object
    #[arg(long, env = "TENANT_WRITE_KEYS", value_name = "JSON")]
    tenant_write_keys: Option<String>,
    #[command(flatten)]
    provider: ProviderOptions,
    #[command(flatten)]
    common: CommonOptions,
}

fn url(text: &str) -> Result<String, String> {
    let parsed: Option<http::Uri> = text.trim().parse().ok();
    // It is printed and saved, so it must not hold a password.
    let plain = |uri: &http::Uri| {
        uri.query().is_none() && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    };
    match parsed {
        Some(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && plain(&uri) => {
            Ok(text.trim().trim_end_matches('/').to_owned())
        }
        _ => Err("it must be FusionAuth's address, such as https://auth.example.com".to_owned()),
    }
}

/// Identifies the users, or sends the events of the event log.
///
/// # Errors
/// A sentence that says what to do, or the exit code when the reason is already printed.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let context = Context::new()?;
    let mut headers = vec![("authorization", Secret::new(options.api_key.trim()))];
    if let Some(tenant) = &options.tenant {
        headers.push(("x-fusionauth-tenantid", Secret::new(tenant)));
    }
    let api = Api::new(&FUSIONAUTH, &options.url, headers, &context)?;
    let common = &options.common;
    let kind = if options.event_log { "event-log" } else { "users" };
    let what = match options.event_log {
        true => format!("Undelivered events of {}", options.url),
        false => format!("Users of {}", options.url),
    };
    let destination = common.destination_fingerprint(&context)?;
    let parts = [
        kind,
        &options.url,
        options.tenant.as_deref().unwrap_or_default(),
        &common.since.map(|since| since.to_string()).unwrap_or_default(),
        options.webhook_url.as_deref().unwrap_or_default(),
        if options.all { "all" } else { "" },
        &destination,
    ];
    let name = format!("backfill-fusionauth-{}", fingerprint(&parts));
    let deployment = match (options.event_log, &options.provider.deployment) {
        (true, None) => deployment(common, &context).await?,
        (_, Some(name)) => name.clone(),
        (false, None) => format!("backfill-{destination}"),
    };
    let config = options.provider.config(&deployment, options.tenant_write_keys.as_deref())?;
    let since = common.since.filter(|_| !options.event_log);
    let takes_deletions = common.to == Kind::Warehouse;
    let mapper = ProviderMapper {
        provider: config.providers().named(ROUTE)?,
        config,
        hash_key: options.provider.hash_key()?,
        since,
        takes_deletions,
    };
    let mapper = RecordMapper::Provider(Box::new(mapper));
    let mut state = match common.dry_run {
        true => None,
        false => Some(State::open(&common.data_dir, &name, &what, common.restart)?),
    };
    if !options.event_log && state.as_ref().is_some_and(|state| state.checkpoint.finished) {
        return Job::new(&options.common, &what, state, mapper, context)?.report_already_finished();
    }
    let position = state.as_ref().and_then(|state| state.checkpoint.position.clone());
    if options.event_log {
        let filter = EntryFilter {
            all: options.all,
            webhook: options.webhook_url,
            start: common.since.map_or(0, |since| since.as_millisecond().max(0)),
            end: end_time(state.as_mut(), &context)?,
        };
        let source = EventLog::after(api, filter, position.as_ref());
        return Job::new(&options.common, &what, state, mapper, context)?.run(source).await;
    }
    let source = Users::after(api, position.as_ref());
    Job::new(&options.common, &what, state, mapper, context)?.run(source).await
}

/// FusionAuth may still be delivering events younger than this, in milliseconds.
const IN_PROGRESS: i64 = 2 * 60 * 1_000;

/// Returns the time up to which events are read, in milliseconds since 1970. It is the time of the first run,
/// so that runs come to an end. A run after a finished one gets a new time.
fn end_time(state: Option<&mut State>, context: &Context) -> Result<i64, CommandError> {
    let end = context.clock.now().as_millisecond() - IN_PROGRESS;
    let Some(state) = state else { return Ok(end) };
    match state.checkpoint.source["end"].as_i64() {
        Some(end) if !state.checkpoint.finished => Ok(end),
        _ => {
            state.checkpoint.source = json!({"end": end});
            state.checkpoint.finished = false;
            state.save()?;
            Ok(end)
        }
    }
}

/// Returns the name of the deployment whose webhooks failed, as the store in the data directory has it. It is part of
/// their message ids.
async fn deployment(common: &CommonOptions, context: &Context) -> Result<String, CommandError> {
    if !common.data_dir.join(FILE).exists() {
        return Err(format!(
            "the message ids must match those of the webhooks, so Segue needs the name of their deployment: pass the \
             stack's ARN with --deployment, or the store's folder with --data-dir ({} has no store)",
            common.data_dir.display()
        )
        .into());
    }
    let name = match Store::open(&common.data_dir, context.clock.clone()) {
        Ok(store) => store::deployment(&store).await?,
        Err(StoreError::InUse) => ask(common).await?,
        Err(error) => return Err(store::unusable(&common.data_dir, &error)),
    };
    if common.segment.endpoint().is_some() {
        let directory = common.data_dir.display();
        context.progress.say(&format!(
            "Message ids match the webhooks received by the store in {directory}. For the webhooks of a stack on AWS, \
             pass its ARN with --deployment."
        ));
    }
    Ok(name)
}

/// Asks the server that has the store open for the deployment's name.
async fn ask(common: &CommonOptions) -> Result<String, CommandError> {
    let token = page_token::for_server(&common.server.host(), common.page_token.as_deref(), &common.data_dir);
    let setup = common.server.get("setup", token.as_ref()).await.map_err(|error| {
        format!("the message ids need the deployment's name: {error}; or pass it with --deployment")
    })?;
    let name = setup["deployment"].as_str().map(str::to_owned);
    name.ok_or_else(|| {
        "the running segue serve does not report its deployment name; pass it with --deployment".into()
    })
}
