//! Does the job of Lambda's SQS event source: hands messages to the function and deletes those that it did
//! not report as failed.

use std::{sync::Arc, time::Duration};

use platform::{
    queue::Received,
    sqlite::{SqliteQueue, StoreError},
    telemetry::Chain,
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// The visibility timeout of a batch.
const VISIBILITY: Duration = Duration::from_secs(6 * 60);

/// The most messages received in one transaction, unless a single batch is larger.
const MAX_PER_TRANSACTION: usize = 512;

/// The pause after a failure of the store.
const PAUSE: Duration = Duration::from_secs(1);

/// Consumes a queue.
pub struct Consumer {
    /// The queue.
    pub queue: SqliteQueue,
    /// The most messages a batch.
    pub batch: u32,
    /// The most batches handled at once.
    pub batches: usize,
}

impl Consumer {
    /// Consumes until `stop` changes, then finishes the current batches. `handle` returns the ids of messages
    /// to hand out again.
    pub async fn run<F>(
        self,
        handle: impl Fn(Vec<Received>) -> F + Clone + Send + 'static,
        mut stop: watch::Receiver<bool>,
    ) where
        F: Future<Output = Vec<String>> + Send,
    {
        let slots = Arc::new(Semaphore::new(self.batches));
        let mut running = JoinSet::new();
        let mut divisor = 1;
        while !*stop.borrow() {
            let Ok(mut held) = slots.clone().acquire_owned().await else { break };
            let more = slots.available_permits().min(self.batches_at_once() - 1);
            if let Ok(more) = slots.clone().try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
                held.merge(more);
            }
            let most = self.batch.saturating_mul(u32::try_from(held.num_permits()).unwrap_or(1));
            match self.queue.receive((most / divisor).max(1), VISIBILITY).await {
                Ok(received) if received.is_empty() => {
                    divisor = 1;
                    drop(held);
                    tokio::select! {
                        () = self.queue.ready() => {}
                        _ = stop.changed() => {}
                    }
                }
                Ok(received) => {
                    divisor = (divisor / 2).max(1);
                    let mut received = received.into_iter().peekable();
                    while received.peek().is_some() {
                        let batch: Vec<Received> = received.by_ref().take(self.batch as usize).collect();
                        let (queue, handle, slot) = (self.queue.clone(), handle.clone(), held.split(1));
                        running.spawn(async move {
                            if let Err(error) = queue.consume(batch, handle).await {
                                log_failure(&error).await;
                            }
                            drop(slot);
                        });
                    }
                }
                Err(error) => {
                    drop(held);
                    // A full disk may have space for fewer messages.
                    divisor = (divisor * 4).min(most);
                    log_failure(&error).await;
                }
            }
            while running.try_join_next().is_some() {}
        }
        while running.join_next().await.is_some() {}
    }

    /// Returns the number of batches received in one transaction. Under load each transaction waits for those
    /// of publishers, so one transaction a batch would be too slow.
    fn batches_at_once(&self) -> usize {
        (MAX_PER_TRANSACTION / self.batch.max(1) as usize).max(1)
    }
}

async fn log_failure(error: &StoreError) {
    tracing::error!(error = %Chain(error), "The queue cannot be consumed.");
    tokio::time::sleep(PAUSE).await;
}
