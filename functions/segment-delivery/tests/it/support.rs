//! A queue, a topic and a Segment around the handler, with the clock held.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use platform::{
    clock::HeldClock,
    embedded::{EmbeddedQueue, EmbeddedTopic, Store, StoreError, Subscription},
    queue::{Queue, QueueError, Replacement},
    secrets::{CachedSecret, StaticSecret},
    topic::{MESSAGE_TYPE, Publication, Topic, WRITE_KEY},
    write_keys::WriteKeys,
};
use segment::{Client, Secret};
use segment_delivery::{Handler, Pace};
use testkit::FakeServer;

/// How long the queue hides what it handed out.
pub const VISIBILITY: Duration = Duration::from_secs(6 * 60);

/// The queue as the handler sees it: its next so many calls fail.
#[derive(Clone)]
pub struct Flaky {
    queue: EmbeddedQueue,
    pub failures: Arc<AtomicU32>,
}

impl Queue for Flaky {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        let left = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match left {
            Ok(_) => replacements.iter().map(|_| Err(QueueError("down".into()))).collect(),
            Err(_) => self.queue.replace(replacements).await,
        }
    }
}

/// The pieces around one handler.
pub struct World {
    pub directory: Arc<tempfile::TempDir>,
    pub clock: Arc<HeldClock>,
    pub store: Store,
    pub queue: EmbeddedQueue,
    pub flaky: Flaky,
    pub topic: EmbeddedTopic,
    pub handler: Arc<Handler<Flaky>>,
}

impl World {
    pub fn new(fake: &FakeServer) -> Self {
        Self::paced(fake, Pace::default())
    }

    /// A world whose handler keeps to this pace.
    pub fn paced(fake: &FakeServer, pace: Pace) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let clock = HeldClock::at("2026-11-21T04:00:00Z".parse::<Timestamp>().unwrap());
        Self::open(directory, clock, fake, pace)
    }

    /// The world after its process was killed and started again.
    pub fn restarted(self, fake: &FakeServer) -> Self {
        let (directory, clock) = (self.directory.clone(), self.clock.clone());
        drop(self);
        Self::open(directory, clock, fake, Pace::default())
    }

    fn open(directory: Arc<tempfile::TempDir>, clock: Arc<HeldClock>, fake: &FakeServer, pace: Pace) -> Self {
        let store = loop {
            // The thread of the store that was dropped may take a moment to let go of the file.
            match Store::open(directory.path(), clock.clone()) {
                Err(StoreError::InUse) => std::thread::yield_now(),
                opened => break opened.unwrap(),
            }
        };
        let keys = StaticSecret(Secret::new(r#"{"default":"k1","shop":"k2"}"#));
        let keys = Arc::new(CachedSecret::new(keys, WriteKeys::parse, clock.clone()));
        let now = clock.clone();
        let client = Client::new(platform::http::client().unwrap(), fake.url().parse().unwrap())
            .with_deadline(Duration::from_millis(150))
            .with_clock(move || platform::clock::Clock::now(&*now));
        let queue = store.queue("segment");
        let flaky = Flaky { queue: queue.clone(), failures: Arc::default() };
        let topic = store.topic(vec![Subscription { queue: "segment", wants: |_| true }]);
        let handler = Arc::new(Handler::new(flaky.clone(), client, keys, clock.clone()).with_pace(pace));
        Self { directory, clock, store, queue, flaky, topic, handler }
    }

    pub async fn publish(&self, body: &str, write_key: &str) {
        let attributes = [(WRITE_KEY, write_key), (MESSAGE_TYPE, "track")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        self.topic.publish(vec![Publication { body: body.to_owned(), attributes }]).await.unwrap();
    }

    /// Receives, handles and deletes once, as the queue's event source does. Returns what failed.
    pub async fn poll(&self, most: u32) -> Vec<String> {
        let received = self.queue.receive(most, VISIBILITY).await.unwrap();
        self.queue.consume(received, |batch| self.handler.handle(batch)).await.unwrap()
    }

    /// Polls, letting the clock run, until the queue is empty.
    pub async fn drain(&self) {
        for _ in 0..10_000 {
            if self.queue.depth().await.unwrap() == 0 {
                return;
            }
            self.poll(50).await;
            self.clock.advance(Duration::from_secs(1));
        }
        panic!("the queue is not empty after 10,000 polls");
    }
}

/// A track message with that id.
pub fn track(id: &str) -> String {
    format!(r#"{{"type":"track","userId":"u","event":"e","messageId":"{id}"}}"#)
}
