//! The numbers at the top of the page.

use serde_json::{Value, json};

use super::{Debugger, Failed};

/// All of them, at this moment.
pub(super) async fn numbers(debugger: &Debugger) -> Result<Value, Failed> {
    let mut numbers = debugger.journal.numbers();
    let mut queues = Vec::new();
    for named in debugger.queues.all() {
        queues.push(json!({
            "name": named.name,
            "label": debugger.journal.label(named.label),
            "depth": named.queue.depth().await?,
            "oldestSeconds": named.queue.oldest_age().await?.map(|age| age.as_secs()),
            "deadLetters": named.queue.dead_letter_depth().await?,
        }));
    }
    numbers["queues"] = queues.into();
    numbers["fault"] = json!(debugger.stand_in.as_ref().and_then(|stand_in| stand_in.fault()));
    Ok(numbers)
}
