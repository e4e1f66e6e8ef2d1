//! What Lambda's SQS event source does on AWS: hands the queue's messages to the function and deletes what
//! it did not report as failed.

use std::{sync::Arc, time::Duration};

use platform::{
    embedded::{EmbeddedQueue, StoreError},
    telemetry::Chain,
};
use segment_delivery::Handler;
use tokio::sync::watch;

/// The most messages a batch. Segment takes 2,500, of at most 480 KB together.
const BATCH: u32 = 500;

/// How long a batch may take before its messages are handed out again.
const VISIBILITY: Duration = Duration::from_secs(6 * 60);

/// The pause after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Consumes until `stop` changes. A batch that is being delivered then is finished first.
pub async fn consume(
    queue: EmbeddedQueue,
    handler: Arc<Handler<EmbeddedQueue>>,
    mut stop: watch::Receiver<bool>,
) {
    while !*stop.borrow() {
        match consume_batch(&queue, &handler).await {
            Ok(0) => tokio::select! {
                () = queue.ready() => {}
                _ = stop.changed() => {}
            },
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = %Chain(&error), "The queue cannot be consumed.");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn consume_batch(queue: &EmbeddedQueue, handler: &Handler<EmbeddedQueue>) -> Result<usize, StoreError> {
    let received = queue.receive(BATCH, VISIBILITY).await?;
    if received.is_empty() {
        return Ok(0);
    }
    let mut done: Vec<String> = received.iter().map(|message| message.id.clone()).collect();
    let failed = handler.handle(received).await;
    done.retain(|id| !failed.contains(id));
    let count = done.len();
    // What was put back or dead-lettered is not the batch's any more and stays.
    queue.delete(done).await?;
    Ok(count)
}
