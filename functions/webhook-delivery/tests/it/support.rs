//! A queue, a topic and a secret around the handler, with the clock held.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use jiff::Timestamp;
use platform::{
    clock::{Clock, HeldClock},
    embedded::{EmbeddedQueue, EmbeddedTopic, Letters, Store, StoreError, Subscription},
    queue::{Entry, Place, Queue, QueueError, Replacement},
    secrets::{CachedSecret, Fetched, SecretStore, TIME_TO_LIVE},
    topic::{Attributes, MESSAGE_TYPE, Publication, Topic, WRITE_KEY},
};
use serde_json::{Value, json};
use testkit::FakeServer;
use tokio::sync::Notify;
use webhook_delivery::{Exchange, Handler, Webhooks};

/// How long the queue hides what it handed out.
pub const VISIBILITY: Duration = Duration::from_secs(6 * 60);

/// The secret's text, which a test can change or take away.
#[derive(Clone)]
pub struct Stored(Arc<Mutex<Option<String>>>);

impl Stored {
    pub fn set(&self, text: impl Into<Option<String>>) {
        *self.0.lock().unwrap() = text.into();
    }
}

impl SecretStore for Stored {
    fn fetch(&self) -> Fetched<'_> {
        let text = self.0.lock().unwrap().clone();
        Box::pin(async move { text.ok_or_else(|| "down".into()) })
    }
}

/// The queue as the handler sees it.
#[derive(Clone)]
pub struct Flaky {
    queue: EmbeddedQueue,
    store: Store,
    clock: Arc<HeldClock>,
    /// Its next so many calls fail.
    pub failures: Arc<AtomicU32>,
    /// It does as SQS does: each entry is stored by itself or, at times, is not, and the received messages stay
    /// until they are deleted.
    pub torn: Arc<Mutex<Option<Rng>>>,
    /// Where its next call hangs for ever, as for a process that is killed then.
    pub hangs: Arc<Mutex<Option<Hang>>>,
    /// It hangs.
    pub hung: Arc<Notify>,
}

/// Before the queue did what it was asked for, or between that and its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    Before,
    After,
}

impl Queue for Flaky {
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

impl Flaky {
    async fn do_replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        let down = || Err(QueueError("down".into()));
        let left = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
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
                    self.store(entry).await;
                }
            }
            results.push(result);
        }
        results
    }

    async fn store(&self, Entry { body, attributes, place }: Entry) {
        let (queue, delay) = match place {
            Place::Queue(delay) => ("webhooks", delay),
            Place::DeadLetter => ("webhooks-dead-letter", Duration::ZERO),
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

/// The pieces around one handler.
pub struct World {
    directory: Arc<tempfile::TempDir>,
    exchange: Exchange,
    pub clock: Arc<HeldClock>,
    pub store: Store,
    pub queue: EmbeddedQueue,
    pub flaky: Flaky,
    pub topic: EmbeddedTopic,
    pub secret: Stored,
    pub handler: Arc<Handler<Flaky>>,
}

impl World {
    /// Calls webhooks on the loopback, with the settings given.
    pub fn new(settings: &Value) -> Self {
        let clock = HeldClock::at("2026-11-21T04:00:00Z".parse::<Timestamp>().unwrap());
        let exchange = Exchange::new(true, clock.clone()).unwrap();
        Self::with(settings, exchange, clock)
    }

    /// The same with an exchange of the test's.
    pub fn with(settings: &Value, exchange: Exchange, clock: Arc<HeldClock>) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let secret = Stored(Arc::new(Mutex::new(Some(settings.to_string()))));
        Self::open(directory, exchange, clock, secret)
    }

    /// The world after its process was killed and started again.
    pub fn restarted(self) -> Self {
        let (directory, exchange) = (self.directory.clone(), self.exchange.clone());
        let (clock, secret) = (self.clock.clone(), self.secret.clone());
        drop(self);
        Self::open(directory, exchange, clock, secret)
    }

    fn open(
        directory: Arc<tempfile::TempDir>,
        exchange: Exchange,
        clock: Arc<HeldClock>,
        secret: Stored,
    ) -> Self {
        let store = loop {
            // The thread of the store that was dropped may take a moment to let go of the file.
            match Store::open(directory.path(), clock.clone()) {
                Err(StoreError::InUse) => std::thread::yield_now(),
                opened => break opened.unwrap(),
            }
        };
        let webhooks = Arc::new(CachedSecret::new(secret.clone(), Webhooks::parse, clock.clone()));
        let queue = store.queue("webhooks");
        let flaky = Flaky {
            queue: queue.clone(),
            store: store.clone(),
            clock: clock.clone(),
            failures: Arc::default(),
            torn: Arc::default(),
            hangs: Arc::default(),
            hung: Arc::default(),
        };
        let topic = store.topic(vec![Subscription { queue: "webhooks", wants: |_| true }]);
        let handler = Arc::new(Handler::new(flaky.clone(), exchange.clone(), webhooks, clock.clone()));
        Self { directory, exchange, clock, store, queue, flaky, topic, secret, handler }
    }

    pub async fn publish(&self, body: &str) {
        let attributes = [(WRITE_KEY, "default"), (MESSAGE_TYPE, "track")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        self.topic.publish(vec![Publication { body: body.to_owned(), attributes }]).await.unwrap();
    }

    /// Publishes a track message for each id.
    pub async fn publish_all(&self, ids: impl IntoIterator<Item = impl AsRef<str>>) {
        for id in ids {
            self.publish(&track(id.as_ref())).await;
        }
    }

    /// Changes the settings and lets the time pass until they are read again.
    pub fn set(&self, settings: &Value) {
        self.secret.set(settings.to_string());
        self.clock.advance(TIME_TO_LIVE);
    }

    /// Receives, handles and deletes once, as the queue's event source does. Returns what failed.
    pub async fn poll(&self, most: u32) -> Vec<String> {
        let received = self.queue.receive(most, VISIBILITY).await.unwrap();
        self.queue.consume(received, |batch| self.handler.handle(batch)).await.unwrap()
    }

    /// Moves the clock to when the next message is handed out. False when there is none.
    pub async fn skip(&self) -> bool {
        let next = "SELECT MIN(visible_at) FROM message WHERE queue = 'webhooks'";
        let next = self.store.run(move |connection| connection.query_row(next, [], |row| row.get(0)));
        let next: Option<i64> = next.await.unwrap();
        let wait = next.map(|at| u64::try_from(at - self.clock.now().as_millisecond()).unwrap_or(0));
        self.clock.advance(Duration::from_millis(wait.unwrap_or(0)));
        wait.is_some()
    }

    /// Polls, letting the clock run, until the queue is empty.
    pub async fn drain(&self) {
        for _ in 0..10_000 {
            if !self.skip().await {
                return;
            }
            self.poll(50).await;
        }
        panic!("the queue is not empty after 10,000 polls");
    }

    /// What is in the queue, waiting or not.
    pub async fn queued(&self) -> Vec<(String, Attributes)> {
        let select = "SELECT body, attributes FROM message WHERE queue = 'webhooks' ORDER BY id";
        let rows = self.store.run(move |connection| {
            let mut select = connection.prepare(select)?;
            select.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?.collect()
        });
        let rows: Vec<(String, String)> = rows.await.unwrap();
        rows.into_iter().map(|(body, text)| (body, serde_json::from_str(&text).unwrap())).collect()
    }

    pub async fn dead_letters(&self) -> Vec<(String, Attributes)> {
        let letters = self.queue.dead_letters(u32::MAX).await.unwrap();
        letters.into_iter().map(|letter| (letter.body, letter.attributes)).collect()
    }

    /// Moves the dead letters back into the queue.
    pub async fn redrive(&self) {
        self.queue.redrive(Letters::All, false, |_| true, drop).await.unwrap();
    }

    /// How many seconds have passed since `start`.
    pub fn seconds_since(&self, start: Timestamp) -> i64 {
        self.clock.now().duration_since(start).as_secs()
    }
}

/// Settings with these webhooks and nothing else.
pub fn settings(webhooks: impl IntoIterator<Item = Value>) -> Value {
    json!({ "webhooks": webhooks.into_iter().collect::<Vec<_>>() })
}

/// A webhook that gets everything, one by one.
pub fn plain(fake: &FakeServer) -> Value {
    json!({ "url": fake.url() })
}

/// A track message with that id.
pub fn track(id: &str) -> String {
    format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"{id}"}}"#)
}

/// What a webhook gets of it.
pub fn sent(id: &str) -> String {
    track(id).replacen('{', r#"{"version":1,"#, 1)
}

/// The name of a webhook in attributes.
pub fn name(fake: &FakeServer) -> String {
    webhook_delivery::name(&fake.url().parse().unwrap())
}

/// The ids that a fake took, in the order of their coming.
pub fn taken(fake: &FakeServer) -> Vec<String> {
    fake.taken().iter().map(|(_, message)| message["messageId"].as_str().unwrap().to_owned()).collect()
}

/// The same in alphabetical order.
pub fn taken_sorted(fake: &FakeServer) -> Vec<String> {
    let mut ids = taken(fake);
    ids.sort();
    ids
}

/// Asserts that the attributes have these values.
#[track_caller]
pub fn assert_attributes(attributes: &Attributes, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(attributes.get(*name).map(String::as_str), Some(*value), "{name} of {attributes:?}");
    }
}
