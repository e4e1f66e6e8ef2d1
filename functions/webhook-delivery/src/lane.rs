//! What each webhook has for itself: its breaker and its places, so that a slow or dead one holds up nobody.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use platform::breaker::{Breaker, Limits, Permit};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

use crate::{exchange, outcome::Outcome};

/// How many requests to one webhook are under way at once in one process.
pub const CONCURRENCY: usize = 10;

/// Five failures in a row, which is no more than half of what may be under way.
const BREAKER: Limits = Limits {
    threshold: 5,
    first_pause: Duration::from_secs(5),
    longest_pause: Duration::from_secs(60),
    probe_time: exchange::DEADLINE.saturating_add(Duration::from_secs(1)),
};

/// How long a request waits for its place at most. Where it is not reached in this time, the message goes back into
/// the queue: a function must end before Lambda ends it.
const PATIENCE: Duration = Duration::from_secs(40);

/// How long it waits while no other request gets a place either. Then the webhook answers none of those that have
/// one, and to wait for it would hold up the other webhooks' messages in the batch.
const STUCK: Duration = Duration::from_secs(1);

/// A webhook's lane.
pub(crate) struct Lane {
    /// A request needs one of its permits.
    places: Semaphore,
    /// When a request last got one.
    moved: Mutex<Instant>,
    breaker: Mutex<Breaker>,
}

impl Lane {
    fn new() -> Self {
        let (places, moved) = (Semaphore::new(CONCURRENCY), Mutex::new(Instant::now()));
        Self { places, moved, breaker: Mutex::new(Breaker::new(BREAKER)) }
    }

    /// Waits for a place. There is none when too many others are under way.
    pub async fn place(&self) -> Option<SemaphorePermit<'_>> {
        let end = Instant::now() + PATIENCE;
        let mut place = pin!(self.places.acquire());
        loop {
            let moved = *self.moved.lock().unwrap_or_else(PoisonError::into_inner);
            // One that is free is taken, however long ago another was.
            match timeout_at(end.min(moved + STUCK), &mut place).await {
                Ok(place) => {
                    *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                    return place.ok();
                }
                Err(_) if Instant::now() < end && self.has_moved_since(moved) => {}
                Err(_) => return None,
            }
        }
    }

    fn has_moved_since(&self, before: Instant) -> bool {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) > before
    }

    /// Whether the webhook may be called.
    pub fn permit(&self, now: Timestamp) -> Permit {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner).permit(now)
    }

    /// Learns from an attempt.
    pub fn learn(&self, outcome: &Outcome, now: Timestamp, random: f64) {
        let mut breaker = self.breaker.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Outcome::Retry { after, .. } => breaker.failed(now, *after, random),
            Outcome::Delivered | Outcome::Rejected(_) => breaker.succeeded(),
        }
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
