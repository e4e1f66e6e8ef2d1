//! `segue redrive`: delivers dead letters again. On AWS, SQS redrives them.

use clap::Args;
use platform::sqlite::Removal;
use segment::{MessageType, timestamp};
use serde_json::Value;

use crate::{
    console::output,
    error::CommandError,
    options::store::{StoreAccess, StoreOptions},
    queues::{Queues, dead_letters::DeadLetterFilter},
};

/// Options of `segue redrive`.
#[derive(Args)]
pub struct Options {
    /// Only messages for this webhook: its URL, or its name in the log
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Only messages that failed at this time or later, such as 2026-11-21T04:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Only messages of this type, such as track
    #[arg(long = "type", value_name = "TYPE", value_parser = message_type)]
    message_type: Option<String>,
    /// Only messages with this failure, such as rate_limited. The page and --dry-run show it
    #[arg(long, value_name = "CODE")]
    failure: Option<String>,
    /// List the messages that would be delivered again, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreOptions,
}

/// Moves messages back to their queues, through the server if it has the store open.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let choice = options.choice();
    let redriven = match options.store.open()? {
        StoreAccess::Direct(store) => {
            let redriven = choice.take_out(&Queues::of(&store), None, Removal::Redrive).await;
            store.close().await;
            redriven.map_err(|error| options.store.unusable(&error))?
        }
        StoreAccess::ThroughServer(token) => {
            options.store.server.post("redrive", &choice, token.as_ref()).await?
        }
    };
    output::print_json(serde_json::to_string_pretty(&redriven)?)?;
    output::note(summary(&redriven, &choice));
    Ok(())
}

/// Returns the result as a sentence.
fn summary(redriven: &Value, choice: &DeadLetterFilter) -> String {
    let listed = redriven["messages"].as_array().map_or(0, Vec::len) as u64;
    let count = listed + redriven["notListed"].as_u64().unwrap_or(0);
    let entries = if count == 1 { "entry" } else { "entries" };
    match (count, choice.dry_run) {
        (0, _) if choice.is_set() => {
            "no dead letter matches these options; segue redrive --dry-run lists all dead letters".to_owned()
        }
        (0, _) => "there are no dead letters".to_owned(),
        (_, true) => {
            format!("{count} {entries} would be delivered again; run it without --dry-run to do that")
        }
        (_, false) => format!("{count} {entries} moved back to the queue; segue serve delivers them again"),
    }
}

/// Parses a time into the form that queues use, so that times compare as strings.
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

impl Options {
    fn choice(&self) -> DeadLetterFilter {
        let name = |text: &String| match text.parse() {
            Ok(url) => webhook_delivery::name(&url),
            Err(_) => text.clone(),
        };
        DeadLetterFilter {
            webhook: self.webhook.as_ref().map(name),
            since: self.since.clone(),
            message_type: self.message_type.clone(),
            failure: self.failure.clone(),
            dry_run: self.dry_run,
            ..DeadLetterFilter::default()
        }
    }
}
