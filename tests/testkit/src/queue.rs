//! A queue that fails on demand.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use platform::{
    clock::{Clock, HeldClock},
    queue::{Entry, Queue, QueueError, Replacement, TargetQueue},
    sqlite::{SqliteQueue, Store},
};
use tokio::sync::Notify;

/// The number of next calls that fail.
#[derive(Clone, Default)]
pub struct Failures(Arc<AtomicU32>);

impl Failures {
    /// Makes the next `count` calls fail.
    pub fn set(&self, count: u32) {
        self.0.store(count, Ordering::SeqCst);
    }

    /// Whether this call fails.
    pub fn next(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

/// The queue as the engine uses it.
#[derive(Clone)]
pub struct FlakyQueue {
    queue: SqliteQueue,
    name: &'static str,
    store: Store,
    clock: Arc<HeldClock>,
    /// The failures of its next calls.
    pub failures: Failures,
    /// When set, it acts like SQS: each entry is stored separately and sometimes is not, and the received
    /// messages stay until they are deleted.
    pub torn: Arc<Mutex<Option<Rng>>>,
    /// The point at which its next call hangs forever, as if the process were killed then.
    pub hangs: Arc<Mutex<Option<Hang>>>,
    /// Notifies when it hangs.
    pub hung: Arc<Notify>,
}

/// The point at which a call hangs: before the queue acts, or between that and its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// Before.
    Before,
    /// After.
    After,
}

impl Queue for FlakyQueue {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        let hangs = self.hangs.lock().unwrap().take();
        if hangs != Some(Hang::Before) {
            let results = self.do_replace(replacements).await;
            if hangs.is_none() {
                return results;
            }
        }
        self.hung.notify_one();
        std::future::pending().await
    }
}

impl FlakyQueue {
    pub(crate) fn new(store: &Store, name: &'static str, clock: Arc<HeldClock>) -> Self {
        Self {
            queue: store.queue(name),
            name,
            store: store.clone(),
            clock,
            failures: Failures::default(),
            torn: Arc::default(),
            hangs: Arc::default(),
            hung: Arc::default(),
        }
    }

    async fn do_replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        let down = || Err(QueueError("down".into()));
        if self.failures.next() {
            return replacements.iter().map(|_| down()).collect();
        }
        let torn = self.torn.lock().unwrap().as_mut().map(Rng::fork);
        let Some(mut random) = torn else { return self.queue.replace(replacements).await };
        let mut results = Vec::new();
        for replacement in replacements {
            let mut result = Ok(());
            for entry in replacement.entries {
                if random.u8(..) < 64 {
                    result = down();
                } else {
                    self.insert(entry).await;
                }
            }
            results.push(result);
        }
        results
    }

    async fn insert(&self, Entry { body, attributes, target }: Entry) {
        let (queue, delay) = match target {
            TargetQueue::Source(delay) => (self.name.to_owned(), delay),
            TargetQueue::DeadLetter => (format!("{}-dead-letter", self.name), Duration::ZERO),
        };
        let now = self.clock.now().as_millisecond();
        let visible_at = now + i64::try_from(delay.as_millis()).unwrap();
        let attributes = serde_json::to_string(&attributes).unwrap();
        let insert =
            "INSERT INTO message (queue, body, attributes, sent_at, visible_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.store
            .run(move |connection| connection.execute(insert, (queue, body, attributes, now, visible_at)))
            .await
            .unwrap();
    }
}
