//! The numbers at the top of the page.

use std::{sync::Arc, time::Duration};

use segment::timestamp;
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::Instant};

use super::{ApiError, Debugger};

/// The time between two counts. Each viewer gets the numbers this often, and all viewers share one count.
pub const NUMBERS_INTERVAL: Duration = Duration::from_secs(1);

/// The last numbers and their time. Counting the queues takes the store's time, which senders need.
#[derive(Clone, Default)]
pub struct CachedNumbers(Arc<Mutex<Option<(Instant, Value)>>>);

impl CachedNumbers {
    /// Returns the numbers of the last second. The first caller counts for all.
    async fn recent<E>(&self, count: impl AsyncFnOnce() -> Result<Value, E>) -> Result<Value, E> {
        let mut counted = self.0.lock().await;
        if let Some((at, numbers)) = &*counted
            && at.elapsed() < NUMBERS_INTERVAL
        {
            return Ok(numbers.clone());
        }
        let numbers = count().await?;
        *counted = Some((Instant::now(), numbers.clone()));
        Ok(numbers)
    }
}

/// Returns all numbers, at most a second old.
pub(super) async fn numbers(debugger: &Debugger) -> Result<Value, ApiError> {
    let mut numbers = debugger.numbers.recent(async || count(debugger).await).await?;
    numbers["now"] = timestamp::format(debugger.journal.now()).into();
    Ok(numbers)
}

async fn count(debugger: &Debugger) -> Result<Value, ApiError> {
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
    numbers["rejected"] = debugger.rejected.depth().await?.into();
    numbers["fault"] = json!(debugger.stand_in.as_ref().and_then(|stand_in| stand_in.fault()));
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn numbers_are_counted_once_a_second_for_all_viewers() {
        let (counted, times) = (CachedNumbers::default(), Cell::new(0));
        let look = || {
            counted.recent(async || {
                // Other callers come while this counts.
                tokio::time::sleep(Duration::from_millis(300)).await;
                times.set(times.get() + 1);
                Ok::<_, ()>(json!(times.get()))
            })
        };
        for second in 1..=3 {
            let seen = join_all((0..50).map(|_| look())).await;
            assert!(seen.iter().all(|one| *one == Ok(json!(second))), "{seen:?}");
            tokio::time::sleep(NUMBERS_INTERVAL).await;
        }
        assert_eq!(times.get(), 3);
    }

    #[tokio::test]
    async fn a_failed_count_is_repeated() {
        let counted = CachedNumbers::default();
        assert_eq!(counted.recent(async || Err("the store failed")).await, Err("the store failed"));
        assert_eq!(counted.recent(async || Ok::<_, ()>(json!(1))).await, Ok(json!(1)));
    }
}
