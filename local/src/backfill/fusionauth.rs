//! `segue backfill fusionauth`.

mod event_log;
mod rows;
mod users;

use clap::Args;
use identity::Provider;
use platform::sqlite::{FILE, Store, StoreError};
use segment::Secret;
use serde_json::json;

use self::{
    event_log::{Choice, EventLog},
    users::Users,
};
use super::{
    api::{Api, Side},
    batch::Maker,
    checkpoint::{State, fingerprint},
    job::Job,
    options::CommonOptions,
    surroundings::Surroundings,
};
use crate::{
    error::CommandError,
    options::{page_token, store},
};

const ROUTE: &str = "fusionauth";

const FUSIONAUTH: Side = Side {
    name: "FusionAuth",
    address: "--url",
    credentials: "FUSIONAUTH_API_KEY must be an API key that may POST to /api/user/search, and for --event-log a \
                  global one that may POST to /api/system/webhook-event-log/search and GET \
                  /api/system/webhook-event-log (FusionAuth: Settings, API Keys)",
};

/// What `segue backfill fusionauth` takes.
#[derive(Args)]
pub struct Options {
    /// Where FusionAuth is, such as `https://auth.example.com`
    #[arg(long, env = "FUSIONAUTH_URL", value_name = "URL", hide_env_values = true, value_parser = url)]
    url: String,
    /// An API key of FusionAuth
    #[arg(long, env = "FUSIONAUTH_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: String,
    /// Only this tenant of FusionAuth, by its id
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Send what the webhooks failed to deliver, with the message ids that it would have had, instead of the users
    #[arg(long)]
    event_log: bool,
    /// With --event-log: only what this webhook of FusionAuth failed to deliver
    #[arg(long, value_name = "URL", requires = "event_log")]
    webhook_url: Option<String>,
    /// With --event-log: also what was delivered
    #[arg(long, requires = "event_log", conflicts_with = "webhook_url")]
    all: bool,
    /// Write key names by the id of FusionAuth's tenant, as a JSON object
    #[arg(long, env = "TENANT_WRITE_KEYS", value_name = "JSON")]
    tenant_write_keys: Option<String>,
    #[command(flatten)]
    common: CommonOptions,
}

fn url(text: &str) -> Result<String, String> {
    let parsed: Option<http::Uri> = text.trim().parse().ok();
    // What is in it is said to people and kept: no place for a password.
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

/// Identifies the users, or sends what is in the event log.
///
/// # Errors
/// A sentence that says what to do, or the exit code of an end that was said already.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let surroundings = Surroundings::new()?;
    let mut headers = vec![("authorization", Secret::new(options.api_key.trim()))];
    if let Some(tenant) = &options.tenant {
        headers.push(("x-fusionauth-tenantid", Secret::new(tenant)));
    }
    let api = Api::new(&FUSIONAUTH, &options.url, headers, &surroundings)?;
    let common = &options.common;
    let kind = if options.event_log { "event-log" } else { "users" };
    let what = match options.event_log {
        true => format!("Undelivered events of {}", options.url),
        false => format!("Users of {}", options.url),
    };
    let destination = common.destination();
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
    let deployment = match (options.event_log, &common.deployment) {
        (true, _) => deployment(common, &surroundings).await?,
        (false, Some(name)) => name.clone(),
        (false, None) => format!("backfill-{destination}"),
    };
    let config = common.config(&deployment, options.tenant_write_keys.as_deref())?;
    let since = common.since.filter(|_| !options.event_log);
    let maker = Maker { provider: Provider::named(ROUTE)?, config, hash_key: common.hash_key()?, since };
    let mut state = match common.dry_run {
        true => None,
        false => Some(State::open(&common.data_dir, &name, &what, common.restart)?),
    };
    if !options.event_log && state.as_ref().is_some_and(|state| state.checkpoint.finished) {
        return Job::new(&options.common, &what, state, maker, surroundings)?.was_finished();
    }
    let position = state.as_ref().and_then(|state| state.checkpoint.position.clone());
    if options.event_log {
        let choice = Choice {
            all: options.all,
            webhook: options.webhook_url,
            start: common.since.map_or(0, |since| since.as_millisecond().max(0)),
            end: end(state.as_mut(), &surroundings)?,
        };
        let source = EventLog::after(api, choice, position.as_ref());
        return Job::new(&options.common, &what, state, maker, surroundings)?.run(source).await;
    }
    let source = Users::after(api, position.as_ref());
    Job::new(&options.common, &what, state, maker, surroundings)?.run(source).await
}

/// Events younger than this may still be under way, in milliseconds.
const UNDER_WAY: i64 = 2 * 60 * 1_000;

/// Up to when events are read: the time of the first run, so that it comes to an end. A run after the last one's end
/// reads what has happened since.
fn end(state: Option<&mut State>, surroundings: &Surroundings) -> Result<i64, CommandError> {
    let end = surroundings.clock.now().as_millisecond() - UNDER_WAY;
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

/// The name of the deployment whose webhooks failed, which is part of their message ids: the one that was given, or that of the
/// store in the data directory.
async fn deployment(common: &CommonOptions, surroundings: &Surroundings) -> Result<String, CommandError> {
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
