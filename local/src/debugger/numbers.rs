//! The numbers at the top of the page.

use std::{sync::Arc, time::Duration};

use segment::timestamp;
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use super::{Debugger, Failed};

/// How long numbers are good: one who looks gets them once in this time, and they are counted no more often for many.
pub const NUMBERS: Duration = Duration::from_secs(1);

/// The last that were counted, and when that was. To count what waits takes the store's time, which those who send need.
#[derive(Clone, Default)]
pub struct Counted(Arc<Mutex<Option<(Instant, Value)>>>);

/// All of them, as they were within the last second.
pub(super) async fn numbers(debugger: &Debugger) -> Result<Value, Failed> {
    let mut counted = debugger.counted.0.lock().await;
    if let Some((at, numbers)) = &*counted
        && at.elapsed() < NUMBERS
    {
        let mut numbers = numbers.clone();
        numbers["now"] = timestamp::format(debugger.journal.now()).into();
        return Ok(numbers);
    }
    let numbers = count(debugger).await?;
    *counted = Some((Instant::now(), numbers.clone()));
    Ok(numbers)
}

async fn count(debugger: &Debugger) -> Result<Value, Failed> {
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
