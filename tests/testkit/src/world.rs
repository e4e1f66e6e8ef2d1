//! A queue, a topic and an engine around a destination, with a held clock.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use delivery::{Destination, Engine};
use jiff::Timestamp;
use platform::{
    clock::{Clock, HeldClock},
    secrets::{Fetched, SecretStore},
    sqlite::{Removal, Selection, SqliteQueue, SqliteTopic, Store, StoreError, Subscription},
    topic::{Attributes, MESSAGE_TYPE, Publication, Topic, WRITE_KEY},
};
use tempfile::TempDir;

use crate::FlakyQueue;

/// The visibility timeout of the queue: longer than any function may take.
pub const VISIBILITY: Duration = Duration::from_secs(12 * 60);

/// The time at which the clock starts.
pub const START: &str = "2026-11-21T04:00:00Z";

const QUEUE: &str = "messages";

/// Returns a clock that stands at [`START`].
pub fn clock() -> Arc<HeldClock> {
    HeldClock::at(START.parse().unwrap())
}

/// A secret's text, which a test can change or remove.
#[derive(Clone)]
pub struct StoredSecret(Arc<Mutex<Option<String>>>);

impl StoredSecret {
    /// Returns a secret with that text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Mutex::new(Some(text.into()))))
    }

    /// Changes the text.
    pub fn set(&self, text: impl Into<String>) {
        *self.0.lock().unwrap() = Some(text.into());
    }

    /// Removes the text: the secret cannot be read.
    pub fn take_away(&self) {
        *self.0.lock().unwrap() = None;
    }
}

impl SecretStore for StoredSecret {
    fn fetch(&self) -> Fetched<'_> {
        let text = self.0.lock().unwrap().clone();
        Box::pin(async move { text.ok_or_else(|| "down".into()) })
    }
}

type Make<D> = dyn Fn(&Store, &Arc<HeldClock>) -> D + Send + Sync;

/// A destination and everything around it.
pub struct World<D> {
    directory: Arc<TempDir>,
    make: Arc<Make<D>>,
    /// The clock.
    pub clock: Arc<HeldClock>,
    /// The store of the queue.
    pub store: Store,
    /// The queue itself.
    pub queue: SqliteQueue,
    /// The queue as the engine uses it.
    pub flaky: FlakyQueue,
    /// The topic for new messages.
    pub topic: SqliteTopic,
    /// The engine under test.
    pub engine: Engine<FlakyQueue, D>,
}

impl<D: Destination> World<D> {
    /// Returns a world with the destination that `make` returns.
    pub fn new(make: impl Fn(&Store, &Arc<HeldClock>) -> D + Send + Sync + 'static) -> Self {
        Self::at(clock(), make)
    }

    /// Returns a world with the test's clock.
    pub fn at(
        clock: Arc<HeldClock>,
        make: impl Fn(&Store, &Arc<HeldClock>) -> D + Send + Sync + 'static,
    ) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let store = Store::open(directory.path(), clock.clone()).unwrap();
        Self::on(store, directory, clock, Arc::new(make))
    }

    /// Returns the world after its process was killed and started again.
    pub async fn restarted(self) -> Self {
        let (directory, clock, make) = (self.directory.clone(), self.clock.clone(), self.make.clone());
        drop(self);
        let store = loop {
            // The thread of the dropped store may take a moment to release the file, and running calls may
            // take a moment to end.
            match Store::open(directory.path(), clock.clone()) {
                Err(StoreError::InUse) => tokio::task::yield_now().await,
                opened => break opened.unwrap(),
            }
        };
        Self::on(store, directory, clock, make)
    }

    fn on(store: Store, directory: Arc<TempDir>, clock: Arc<HeldClock>, make: Arc<Make<D>>) -> Self {
        let (queue, flaky) = (store.queue(QUEUE), FlakyQueue::new(&store, QUEUE, clock.clone()));
        let topic = store.topic(vec![Subscription { queue: QUEUE, wants: |_| true }]);
        let engine = Engine::new(flaky.clone(), make(&store, &clock), clock.clone());
        Self { directory, make, clock, store, queue, flaky, topic, engine }
    }

    /// Publishes a message with these attributes.
    pub async fn publish_with(&self, body: &str, attributes: &[(&str, &str)]) {
        let owned = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let publication = Publication { body: body.to_owned(), attributes: owned.collect() };
        self.topic.publish(vec![publication]).await.unwrap();
    }

    /// Publishes a text that may be a message, with a type that the destination wants.
    pub async fn publish(&self, body: &str, write_key: &str) {
        let wanted = |name: &&str| D::wants(&[(MESSAGE_TYPE.to_owned(), (*name).to_owned())].into());
        let message_type = ["track", "delete"].into_iter().find(wanted).unwrap();
        self.publish_with(body, &[(WRITE_KEY, write_key), (MESSAGE_TYPE, message_type)]).await;
    }

    /// Receives, handles and deletes once, as the queue's event source does. Returns the failed ids.
    pub async fn poll(&self, most: u32) -> Vec<String> {
        let received = self.queue.receive(most, VISIBILITY).await.unwrap();
        self.queue.consume(received, |batch| self.engine.handle(batch)).await.unwrap()
    }

    /// Moves the clock to the time at which the next message becomes visible. Returns false if there is none.
    pub async fn skip(&self) -> bool {
        let next = "SELECT MIN(visible_at) FROM message WHERE queue = ?1";
        let next = self.store.run(move |connection| connection.query_row(next, [QUEUE], |row| row.get(0)));
        let next: Option<i64> = next.await.unwrap();
        let wait = next.map(|at| u64::try_from(at - self.clock.now().as_millisecond()).unwrap_or(0));
        self.clock.advance(Duration::from_millis(wait.unwrap_or(0)));
        wait.is_some()
    }

    /// Polls until the queue is empty, moving the clock.
    pub async fn drain(&self) {
        self.drain_by(Duration::ZERO).await;
    }

    /// Does the same with at least this time between two polls, for messages that wait for days.
    pub async fn drain_by(&self, step: Duration) {
        for _ in 0..10_000 {
            if !self.skip().await {
                return;
            }
            self.poll(50).await;
            self.clock.advance(step);
        }
        panic!("the queue is not empty after 10,000 polls");
    }

    /// Returns the messages in the queue, visible or not.
    pub async fn queued(&self) -> Vec<(String, Attributes)> {
        let select = "SELECT body, attributes FROM message WHERE queue = ?1 ORDER BY id";
        let rows = self.store.run(move |connection| {
            let mut select = connection.prepare(select)?;
            select.query_map([QUEUE], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?.collect()
        });
        let rows: Vec<(String, String)> = rows.await.unwrap();
        rows.into_iter().map(|(body, text)| (body, serde_json::from_str(&text).unwrap())).collect()
    }

    /// Returns the messages in the dead-letter queue.
    pub async fn dead_letters(&self) -> Vec<(String, Attributes)> {
        let letters = self.queue.dead_letters(u32::MAX).await.unwrap();
        letters.into_iter().map(|letter| (letter.body, letter.attributes)).collect()
    }

    /// Moves the dead letters back into the queue.
    pub async fn redrive(&self) {
        self.queue.take_out(Selection::All, Some(Removal::Redrive), |_| true, drop).await.unwrap();
    }

    /// Returns the number of seconds since `start`.
    pub fn seconds_since(&self, start: Timestamp) -> i64 {
        self.clock.now().duration_since(start).as_secs()
    }
}

/// Asserts that the attributes have these values.
#[track_caller]
pub fn assert_attributes(attributes: &Attributes, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(attributes.get(*name).map(String::as_str), Some(*value), "{name} of {attributes:?}");
    }
}
