//! `segue rejected`: the messages that Segue rejected from batches of Segment libraries.

use clap::Args;
use segment::json;
use serde_json::Value;

use crate::{
    console::output,
    error::CommandError,
    options::store::{StoreAccess, StoreOptions},
    queues::rejected,
};

/// Options of `segue rejected`.
#[derive(Args)]
pub struct Options {
    /// Delete all of them permanently
    #[arg(long)]
    purge: bool,
    #[command(flatten)]
    store: StoreOptions,
}

/// Prints or deletes them, through the server if it has the store open.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let mut answer = match options.store.open()? {
        StoreAccess::Direct(store) => {
            let queue = store.rejected();
            let answer =
                if options.purge { rejected::purge(&queue).await } else { rejected::newest(&queue).await };
            store.close().await;
            answer.map_err(|error| options.store.unusable(&error))?
        }
        StoreAccess::ThroughServer(token) if options.purge => {
            options.store.server.delete("rejected", token.as_ref()).await?
        }
        StoreAccess::ThroughServer(token) => options.store.server.get("rejected", token.as_ref()).await?,
    };
    if let Some(messages) = answer.get_mut("messages").and_then(Value::as_array_mut) {
        messages.iter_mut().for_each(|one| one["message"] = readable(&one["message"]));
    }
    output::print_json(serde_json::to_string_pretty(&answer)?)?;
    output::note(summary(&answer));
    Ok(())
}

/// Parses a message. Text that is cut off or cannot be parsed stays text.
fn readable(text: &Value) -> Value {
    json::parse(text.as_str().unwrap_or_default().as_bytes()).unwrap_or_else(|_| text.clone())
}

/// Returns the answer as a sentence.
fn summary(answer: &Value) -> String {
    let shown = answer["messages"].as_array().map_or(0, Vec::len) as u64;
    match (answer["purged"].as_u64(), answer["total"].as_u64().unwrap_or(0)) {
        (Some(1), _) => "1 rejected message is deleted".to_owned(),
        (Some(purged), _) => format!("{purged} rejected messages are deleted"),
        (None, 0) => "no message was rejected from a batch in the last 14 days".to_owned(),
        (None, 1) => "1 message was rejected; Segue does not send it again, so correct its sender".to_owned(),
        (None, total) if total > shown => {
            format!("{total} messages were rejected; the newest {shown} are shown")
        }
        (None, total) => format!(
            "{total} messages were rejected; Segue does not send them again, so correct their senders"
        ),
    }
}
