//! `segue rejected`: the messages that came with good ones and were not taken.

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
    /// Remove all of them for good
    #[arg(long)]
    purge: bool,
    #[command(flatten)]
    store: StoreOptions,
}

/// Prints them, or removes them, through the process that has the store open if there is one.
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

/// The message in a text. One that is cut off, or cannot be read, stays the text that it is.
fn readable(text: &Value) -> Value {
    json::parse(text.as_str().unwrap_or_default().as_bytes()).unwrap_or_else(|_| text.clone())
}

/// The answer in a sentence, for a person.
fn summary(answer: &Value) -> String {
    let shown = answer["messages"].as_array().map_or(0, Vec::len) as u64;
    match (answer["purged"].as_u64(), answer["total"].as_u64().unwrap_or(0)) {
        (Some(1), _) => "1 rejected message is gone for good".to_owned(),
        (Some(purged), _) => format!("{purged} rejected messages are gone for good"),
        (None, 0) => "no message of a library was rejected beside good ones in the last 14 days".to_owned(),
        (None, 1) => {
            "1 message was rejected; its sender must correct it, and nothing sends it again".to_owned()
        }
        (None, total) if total > shown => {
            format!("{total} messages were rejected; the newest {shown} are shown")
        }
        (None, total) => format!(
            "{total} messages were rejected; their senders must correct them, and nothing sends them again"
        ),
    }
}
