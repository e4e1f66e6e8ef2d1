//! What each webhook has for itself: its breaker and its places, so that a slow or dead one holds up nobody.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use platform::breaker::{Breaker, Limits, Permit};
use tokio::sync::Semaphore;

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

/// A webhook's lane.
pub(crate) struct Lane {
    /// A request needs one of its permits.
    pub places: Semaphore,
    breaker: Mutex<Breaker>,
}

impl Lane {
    fn new() -> Self {
        Self { places: Semaphore::new(CONCURRENCY), breaker: Mutex::new(Breaker::new(BREAKER)) }
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
