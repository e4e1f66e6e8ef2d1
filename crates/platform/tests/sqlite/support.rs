//! A store in a temporary folder, with a clock that stands still.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use platform::{
    clock::HeldClock,
    queue::{Queue, Received, Replacement, TargetQueue},
    sqlite::{SqliteQueue, Store, StoreError, Subscription},
    topic::{Publication, Topic},
};

pub const MINUTE: Duration = Duration::from_secs(60);

pub struct Fixture {
    pub directory: tempfile::TempDir,
    pub clock: Arc<HeldClock>,
    pub store: Store,
}

impl Fixture {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = HeldClock::at(Timestamp::UNIX_EPOCH);
        let store = Store::open(directory.path(), clock.clone()).unwrap();
        Self { directory, clock, store }
    }

    pub fn queue(&self) -> SqliteQueue {
        self.store.queue("segment")
    }

    pub async fn publish(&self, bodies: &[&str]) {
        Self::publish_to(&self.store, bodies).await;
    }

    pub async fn publish_to(store: &Store, bodies: &[&str]) {
        let topic = store.topic(vec![Subscription { queue: "segment", wants: |_| true }]);
        let publications =
            bodies.iter().map(|body| Publication { body: (*body).to_owned(), attributes: [].into() });
        topic.publish(publications.collect()).await.unwrap();
    }
}

pub fn bodies(received: &[Received]) -> Vec<&str> {
    received.iter().map(|message| message.body.as_str()).collect()
}

pub fn ids(received: &[Received]) -> Vec<String> {
    received.iter().map(|message| message.id.clone()).collect()
}

pub async fn replace(queue: &SqliteQueue, messages: Vec<Received>, target: TargetQueue) {
    let one = |message| Replacement::of_one(message, target);
    let results = queue.replace(messages.into_iter().map(one).collect()).await;
    assert!(results.iter().all(Result::is_ok));
}

/// The writer thread ends some time after the last handle is dropped.
pub fn reopen(directory: &tempfile::TempDir, clock: &Arc<HeldClock>) -> Store {
    loop {
        match Store::open(directory.path(), clock.clone()) {
            Err(StoreError::InUse) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
}
