//! The numbers at the top of the page.

use std::time::Duration;

use platform::history;
use serde_json::{Value, json};

use super::{Debugger, Failed};

/// All of them, at this moment.
pub(super) async fn numbers(debugger: &Debugger) -> Result<Value, Failed> {
    let mut numbers = debugger.journal.numbers();
    let now = debugger.journal.now();
    let mut queues = Vec::new();
    for named in debugger.queues.all() {
        let age = |oldest| Duration::as_secs(&history::age(oldest, now));
        queues.push(json!({
            "name": named.name,
            "label": named.label,
            "depth": named.queue.depth().await?,
            "oldestSeconds": named.queue.oldest().await?.map(age),
            "deadLetters": named.queue.dead_letter_depth().await?,
        }));
    }
    numbers["queues"] = queues.into();
    numbers["fault"] = json!(debugger.stand_in.as_ref().and_then(|stand_in| stand_in.fault()));
    Ok(numbers)
}
