//! Limits the requests to each webhook that are under way, so that a slow webhook does not delay the others.

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

/// The most requests to one webhook that are under way in one process.
pub const CONCURRENCY: usize = 10;

/// The longest wait for a permit. After this time the message is put back into the queue: a function must end
/// before Lambda ends it.
const PATIENCE: Duration = Duration::from_secs(40);

/// The longest wait while no other request gets a permit either. The webhook then answers no request, and
/// waiting for it would delay the messages for other webhooks in the batch.
const STUCK: Duration = Duration::from_secs(1);

/// The permits of one webhook.
pub(crate) struct Lane {
    /// Each request needs a permit.
    permits: Semaphore,
    /// The time at which a request last got a permit.
    moved: Mutex<Instant>,
}

impl Lane {
    fn new() -> Self {
        Self { permits: Semaphore::new(CONCURRENCY), moved: Mutex::new(Instant::now()) }
    }
    /// Waits for a permit. Returns `None` if too many other requests are under way.
    pub async fn acquire(&self) -> Option<SemaphorePermit<'_>> {
        let end = Instant::now() + PATIENCE;
        let mut permit = pin!(self.permits.acquire());
        loop {
            let moved = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
            // A free permit is taken even if the last one was taken long ago.
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

/// The lanes of all webhooks, by name. They outlive a change of the settings.
#[derive(Default)]
pub(crate) struct Lanes(Mutex<HashMap<String, Arc<Lane>>>);

impl Lanes {
    /// Returns the lane of that webhook.
    pub fn of(&self, name: &str) -> Arc<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.entry(name.to_owned()).or_insert_with(|| Arc::new(Lane::new())).clone()
    }
}
