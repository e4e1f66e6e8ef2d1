//! `segue redrive`: what AWS's own redrive does there, with a choice of messages.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueHint};
use platform::{
    clock::SystemClock,
    embedded::{EmbeddedQueue, Store, StoreError},
    history::{FAILED_AT, FAILURE},
    http,
    topic::Attributes,
};
use segment::{MessageType, timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use webhook_delivery::WEBHOOK;

use crate::{CommandError, debugger::Queues, output, serve};

/// How long a running server may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// Options of `segue redrive`.
#[derive(Args)]
pub struct Options {
    /// Only messages for this webhook: its URL, or its name as logs have it
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Only messages that came there at this time or later, as 2026-11-21T04:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Only messages of this type, such as track
    #[arg(long = "type", value_name = "TYPE", value_parser = message_type)]
    message_type: Option<String>,
    /// Say what would be put back, and leave it where it is
    #[arg(long)]
    dry_run: bool,
    /// Where the store is kept
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = ".segue", value_name = "DIR", value_hint = ValueHint::DirPath)]
    data_dir: PathBuf,
    /// Where the `segue serve` listens that has the store open, if there is one
    #[arg(long, env = "SEGUE_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    listen: SocketAddr,
}

/// Which messages go back.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Choice {
    webhook: Option<String>,
    since: Option<String>,
    #[serde(rename = "type")]
    message_type: Option<String>,
    dry_run: bool,
}

/// Puts messages back, through the process that has the store open if there is one.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let choice = Choice::new(&options);
    let missing = !options.data_dir.join(platform::embedded::FILE).exists();
    if missing {
        let directory = options.data_dir.display();
        return Err(format!("there is no store in {directory}; name its folder with --data-dir").into());
    }
    let redriven = match Store::open(&options.data_dir, SystemClock::shared()) {
        Ok(store) => choice
            .redrive(&serve::queues(&store))
            .await
            .map_err(|error| serve::unusable(&options.data_dir, &error))?,
        Err(StoreError::InUse) => ask(options.listen, &choice).await?,
        Err(error) => return Err(serve::unusable(&options.data_dir, &error)),
    };
    output::print(serde_json::to_string_pretty(&redriven)?)?;
    output::note(summary(&redriven, &choice));
    Ok(())
}

/// Asks the running server.
async fn ask(listen: SocketAddr, choice: &Choice) -> Result<Value, CommandError> {
    let url = format!("http://{}/debugger/api/redrive", serve::reachable(listen));
    let request = http::client()?.post(&url).header("content-type", "application/json");
    let answer = request.body(serde_json::to_vec(choice)?).timeout(DEADLINE).send().await;
    let mut answer = answer.map_err(|_| {
        format!("the store is in use, but nothing answers at {listen}; say with --listen where segue serve listens")
    })?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(serde_json::from_slice(&body)?);
    }
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message =
        answer["message"].as_str().unwrap_or("that is no answer of segue serve; is --listen right?");
    Err(format!("what listens at {listen} answered {status}: {message}").into())
}

/// What was done, for a person.
fn summary(redriven: &Value, choice: &Choice) -> String {
    let count = redriven["messages"].as_array().map_or(0, Vec::len);
    let entries = if count == 1 { "entry" } else { "entries" };
    match (count, choice.dry_run) {
        (0, _) if choice.chooses() => {
            "no dead letter is of that choice; without options segue redrive --dry-run shows all".to_owned()
        }
        (0, _) => "there are no dead letters".to_owned(),
        (_, true) => format!("{count} {entries} would go back; without --dry-run they do"),
        (_, false) => format!("{count} {entries} went back, to be delivered again by segue serve"),
    }
}

/// A time as the queues write them, so that they compare as texts.
fn time(text: &str) -> Result<String, String> {
    let time = timestamp::parse(&Value::String(text.to_owned()));
    time.map(timestamp::format).ok_or_else(|| "it must be a time such as 2026-11-21T04:00:00Z".to_owned())
}

fn message_type(name: &str) -> Result<String, String> {
    match name.parse::<MessageType>() {
        Ok(_) => Ok(name.to_owned()),
        Err(()) => Err("it must be identify, track, page, screen, group, alias or delete".to_owned()),
    }
}

impl Choice {
    fn new(options: &Options) -> Self {
        let name = |text: &String| match text.parse() {
            Ok(url) => webhook_delivery::name(&url),
            Err(_) => text.clone(),
        };
        Self {
            webhook: options.webhook.as_ref().map(name),
            since: options.since.clone(),
            message_type: options.message_type.clone(),
            dry_run: options.dry_run,
        }
    }

    fn chooses(&self) -> bool {
        self.webhook.is_some() || self.since.is_some() || self.message_type.is_some()
    }

    /// Puts back what is chosen and says what that is.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; nothing is put back then.
    pub async fn redrive(&self, queues: &Queues) -> Result<Value, StoreError> {
        let mut messages = Vec::new();
        for (name, _, queue) in queues.named() {
            messages.extend(self.redrive_queue(name, queue).await?);
        }
        let count = if self.dry_run { 0 } else { messages.len() };
        Ok(json!({"redriven": count, "dryRun": self.dry_run, "messages": messages}))
    }

    async fn redrive_queue(&self, name: &str, queue: &EmbeddedQueue) -> Result<Vec<Value>, StoreError> {
        let choice = self.clone();
        let chosen = queue
            .redrive(self.dry_run, move |body, attributes| choice.wants(&messages(body), attributes))
            .await?;
        let describe = |(body, attributes): (String, Attributes)| {
            let messages = messages(&body);
            let ids: Vec<&Value> = messages.iter().map(|message| &message["messageId"]).collect();
            json!({
                "queue": name,
                "webhook": attributes.get(WEBHOOK),
                "messageIds": ids,
                "failure": attributes.get(FAILURE),
                "failedAt": attributes.get(FAILED_AT),
            })
        };
        Ok(chosen.into_iter().map(describe).collect())
    }

    fn wants(&self, messages: &[Value], attributes: &Attributes) -> bool {
        let is = |name: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| attributes.get(name) == Some(wanted))
        };
        // All of these times have the same form, so they compare as texts.
        let late = self.since.as_ref().is_none_or(|since| attributes.get(FAILED_AT) >= Some(since));
        let of_type = self
            .message_type
            .as_ref()
            .is_none_or(|wanted| messages.iter().any(|message| message["type"] == **wanted));
        late && of_type && is(WEBHOOK, &self.webhook)
    }
}

/// The message, or the messages of a batch.
fn messages(body: &str) -> Vec<Value> {
    match serde_json::from_str(body) {
        Ok(Value::Array(messages)) => messages,
        Ok(message) => vec![message],
        Err(_) => Vec::new(),
    }
}
