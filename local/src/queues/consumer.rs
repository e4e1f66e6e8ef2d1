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
const MOST_AT_ONCE: usize = 512;

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
        let all_places = Arc::new(Semaphore::new(self.batches));
        let mut under_way = JoinSet::new();
        let mut part = 1;
        while !*stop.borrow() {
            let Ok(mut places) = all_places.clone().acquire_owned().await else { break };
            let more = all_places.available_permits().min(self.batches_at_once() - 1);
            if let Ok(more) = all_places.clone().try_acquire_many_owned(u32::try_from(more).unwrap_or(0)) {
                places.merge(more);
            }
            let most = self.batch.saturating_mul(u32::try_from(places.num_permits()).unwrap_or(1));
            match self.queue.receive((most / part).max(1), VISIBILITY).await {
                Ok(received) if received.is_empty() => {
                    part = 1;
                    drop(places);
                    tokio::select! {
                        () = self.queue.ready() => {}
                        _ = stop.changed() => {}
                    }
                }
                Ok(received) => {
                    part = (part / 2).max(1);
                    let mut received = received.into_iter().peekable();
                    while received.peek().is_some() {
                        let batch: Vec<Received> = received.by_ref().take(self.batch as usize).collect();
                        let (queue, handle, place) = (self.queue.clone(), handle.clone(), places.split(1));
                        under_way.spawn(async move {
                            if let Err(error) = queue.consume(batch, handle).await {
                                failed(&error).await;
                            }
                            drop(place);
                        });
                    }
                }
                Err(error) => {
                    drop(places);
                    // On a full disk there may be room for fewer.
                    part = (part * 4).min(most);
                    failed(&error).await;
                }
            }
            while under_way.try_join_next().is_some() {}
        }
        while under_way.join_next().await.is_some() {}
    }

    /// For how many batches messages are received in one transaction. Under load each transaction waits for those of
    /// publishers before it, so that one for each batch would be too few.
    fn batches_at_once(&self) -> usize {
        (MOST_AT_ONCE / self.batch.max(1) as usize).max(1)
    }
}

async fn failed(error: &StoreError) {
    tracing::error!(error = %Chain(error), "The queue cannot be consumed.");
    tokio::time::sleep(PAUSE).await;
}
