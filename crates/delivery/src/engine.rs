//! Handles one batch of the queue: read, plan, attempt, settle.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use jiff::Timestamp;
use platform::{
    clock::SharedClock,
    delivery_state,
    queue::{Queue, Received},
    telemetry,
    topic::MESSAGE_TYPE,
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Attempt, Destination, Failure, Group, Item, Outcome, Outcomes, Plan, Watcher, settlement::Settlement,
};

/// Delivers a queue's messages to a destination. The destination holds its circuit breakers, so use one
/// engine for the lifetime of a process.
pub struct Engine<Q, D> {
    queue: Q,
    destination: Arc<D>,
    clock: SharedClock,
    watcher: Watcher,
}

impl<Q: Queue, D: Destination> Engine<Q, D> {
    /// Returns an engine that delivers from `queue` to `destination`.
    pub fn new(queue: Q, destination: D, clock: SharedClock) -> Self {
        let (destination, watcher) = (Arc::new(destination), Watcher::default());
        Self { queue, destination, clock, watcher }
    }

    /// Sets the watcher that receives a report of each attempt.
    #[must_use]
    pub fn with_watcher(self, watcher: Watcher) -> Self {
        Self { watcher, ..self }
    }

    /// Returns the destination.
    pub fn destination(&self) -> &D {
        &self.destination
    }

    /// Settles every message of a batch. Returns the ids of the messages for which the queue itself failed:
    /// the queue hands them out again.
    pub async fn handle(&self, mut batch: Vec<Received>) -> Vec<String> {
        let began = self.clock.steady();
        drop_unwanted::<D>(&mut batch);
        let size = batch.len();
        let (mut waiting, mut unreadable, mut readable) = (Vec::new(), Vec::new(), Vec::new());
        for (index, mut received) in batch.into_iter().enumerate() {
            delivery_state::clear_stale(&mut received.attributes, began);
            if let Some(wait) = delivery_state::not_yet_due(&received.attributes, began) {
                waiting.push((index, received, wait));
                continue;
            }
            // A panic fails only the message that caused it.
            let read = catch_unwind(AssertUnwindSafe(|| self.destination.decode(&received)));
            match read.unwrap_or_else(|_| Err(Failure::panic())) {
                Ok(message) => readable.push(Arc::new(Item { index, received, message })),
                Err(failure) => unreadable.push((index, received, failure)),
            }
        }
        let all = readable.clone();
        let Plan { groups, settled, retries } = self.destination.plan(readable).await;
        let forgotten = all.iter().filter(|item| Arc::strong_count(item) == 1);
        let forgotten: Vec<String> = forgotten.map(|item| item.received.id.clone()).collect();
        if !forgotten.is_empty() {
            tracing::error!(ids = ?forgotten, "A destination planned no attempt for these messages; they are retried. Please report it.");
        }
        let tried = groups.iter().map(|group| group.items.len()).sum();
        let attempts = self.attempts(groups).await;

        let mut settlement = Settlement::new(&self.clock, began, size, retries);
        for (index, received, wait) in waiting {
            settlement.not_due(index, received, wait);
        }
        for (index, received, failure) in unreadable {
            settlement.unreadable(index, received, &failure);
        }
        for (item, outcome) in settled {
            settlement.unattempted::<D>(&item, outcome);
        }
        for (group, attempt) in attempts {
            settlement.attempted(&group, attempt);
        }
        let failed = settlement.finish(&self.queue).await;
        self.keep_pace(began, tried).await;
        failed.into_iter().chain(forgotten).collect()
    }

    /// Makes all attempts at the same time.
    async fn attempts(&self, groups: Vec<Group<D>>) -> Vec<(Arc<Group<D>>, Attempt)> {
        let begin = |group| {
            let group: Arc<Group<D>> = Arc::new(group);
            let (tried, destination) = (group.clone(), self.destination.clone());
            let (watcher, clock) = (self.watcher.clone(), self.clock.clone());
            let task = tokio::spawn(async move {
                let attempt = destination.attempt(&tried).await;
                watcher.notify(&tried, &attempt, &clock);
                attempt
            });
            (group, AbortOnDropHandle::new(task))
        };
        let tasks: Vec<_> = groups.into_iter().map(begin).collect();
        let mut attempts = Vec::with_capacity(tasks.len());
        for (group, task) in tasks {
            // A panic fails its own group for now. The group is tried again later.
            let panicked = |_| Attempt::without_call("", Outcomes::All(Outcome::retry(Failure::panic())));
            attempts.push((group, task.await.unwrap_or_else(panicked)));
        }
        attempts
    }

    /// Waits until the batch that started at `began` has taken its shortest time.
    async fn keep_pace(&self, began: Timestamp, tried: usize) {
        let taken = delivery_state::age(began, self.clock.steady());
        let wait = self.destination.least_time(tried).saturating_sub(taken);
        if !wait.is_zero() {
            self.clock.sleep(wait).await;
        }
    }
}

/// Removes the messages that the subscription's filter should have kept from the queue. The queue then
/// deletes them as if they were delivered.
///
/// Each message of the topic has a type. A message without one was put into the queue by hand, or is a batch
/// that was put back; the filter does not apply to these.
fn drop_unwanted<D: Destination>(batch: &mut Vec<Received>) {
    let came = batch.len();
    batch.retain(|received| {
        let attributes = &received.attributes;
        !attributes.contains_key(MESSAGE_TYPE) || D::wants(attributes)
    });
    if batch.len() < came {
        telemetry::ignored("filtered", came - batch.len());
    }
}
