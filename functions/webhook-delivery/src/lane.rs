//! The places of each webhook: so many requests to it are under way at once, so that a slow one holds up nobody.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

/// How many requests to one webhook are under way at once in one process.
pub const CONCURRENCY: usize = 10;

/// How long a request waits for its place at most. Where it is not reached in this time, the message goes back into
/// the queue: a function must end before Lambda ends it.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long it waits while no other request gets a place either. Then the webhook answers none of those that have
/// one, and to wait for it would hold up the other webhooks' messages in the batch.
const STUCK: Duration = Duration::from_secs(1);

/// A webhook's lane.
pub(crate) struct Lane {
    /// A request needs one of its permits.
    permits: Semaphore,
    /// When a request last got one.
    moved: Mutex<Instant>,
}

impl Lane {
    fn new() -> Self {
        Self { permits: Semaphore::new(CONCURRENCY), moved: Mutex::new(Instant::now()) }
    }
    /// Waits for a place. There is none when too many others are under way.
    pub async fn acquire(&self) -> Option<SemaphorePermit<'_>> {
        let end = Instant::now() + PATIENCE;
        let mut permit = pin!(self.permits.acquire());
        loop {
            let moved = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
            // One that is free is taken, however long ago another was.
            match timeout_at(end.min(moved + STUCK), &mut permit).await {
                Ok(permit) => {
                    *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                    return permit.ok();
                }
                Err(_) if Instant::now() < end && self.has_moved_since(moved) => {}
                Err(_) => return None,
            }
        }
    }

    fn has_moved_since(&self, before: Instant) -> bool {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) > before
    }
}

/// The lanes of all webhooks by name. They outlive a change of the settings.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<HashMap<String, Arc<Lane>>>);

impl Lanes {
    /// The lane of that webhook.
    pub fn of(&self, name: &str) -> Arc<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(name.to_owned()).or_insert_with(|| Arc::new(Lane::new())).clone()
    }
}
