//! What Lambda's SQS event source does on AWS: hands the queue's messages to the function and deletes what
//! it did not report as failed.

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

/// How long a batch may take before its messages are handed out again.
const VISIBILITY: Duration = Duration::from_secs(6 * 60);

/// The most messages that are received in one transaction, unless a single batch has more.
const MAX_PER_TRANSACTION: usize = 512;

/// The pause after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// A queue and how it is consumed.
pub struct Consumer {
    /// The queue.
    pub queue: SqliteQueue,
    /// The most messages a batch.
    pub batch: u32,
    /// How many batches are handled at the same time.
    pub batches: usize,
}

impl Consumer {
    /// Consumes until `stop` changes, with `handle` returning the ids of messages to hand out again. Batches that are
    /// handled then are finished first.
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
                    // On a full disk there may be room for fewer.
                    divisor = (divisor * 4).min(most);
                    log_failure(&error).await;
                }
            }
            while running.try_join_next().is_some() {}
        }
        while running.join_next().await.is_some() {}
    }

    /// For how many batches messages are received in one transaction. Under load each transaction waits for those of
    /// publishers before it, so that one for each batch would be too few.
    fn batches_at_once(&self) -> usize {
        (MAX_PER_TRANSACTION / self.batch.max(1) as usize).max(1)
    }
}

async fn log_failure(error: &StoreError) {
    tracing::error!(error = %Chain(error), "The queue cannot be consumed.");
    tokio::time::sleep(PAUSE).await;
}
