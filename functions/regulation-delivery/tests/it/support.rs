//! A queue, a topic, a quota and a Public API around the handler, with the clock held.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use platform::{
    clock::{Clock, HeldClock},
    embedded::{EmbeddedQueue, EmbeddedQuota, EmbeddedTopic, Store, StoreError, Subscription},
    queue::{Queue, QueueError, Replacement},
    quota::{Quota, QuotaError},
    secrets::{CachedSecret, Fetched, SecretStore},
    topic::{MESSAGE_TYPE, Publication, Topic, WRITE_KEY},
};
use regulation_delivery::{Handler, Tokens};
use segment::regulation::{RegulationType, Regulations};
use testkit::{FakeServer, Request};

/// How long the queue hides what it handed out.
pub const VISIBILITY: Duration = Duration::from_secs(12 * 60);

/// The longest that a call may take.
const DEADLINE: Duration = Duration::from_millis(150);

/// What the next so many calls find broken.
#[derive(Clone, Default)]
pub struct Failures(Arc<AtomicU32>);

impl Failures {
    pub fn set(&self, count: u32) {
        self.0.store(count, Ordering::SeqCst);
    }

    fn next(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

/// The queue as the handler sees it.
#[derive(Clone)]
pub struct FlakyQueue {
    queue: EmbeddedQueue,
    pub failures: Failures,
}

impl Queue for FlakyQueue {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        match self.failures.next() {
            true => replacements.iter().map(|_| Err(QueueError("down".into()))).collect(),
            false => self.queue.replace(replacements).await,
        }
    }
}

/// The quota as the handler sees it.
#[derive(Clone)]
pub struct FlakyQuota {
    quota: EmbeddedQuota,
    pub failures: Failures,
}

impl Quota for FlakyQuota {
    async fn take(&self, period: &str, amount: u64, limit: u64) -> Result<u64, QuotaError> {
        match self.failures.next() {
            true => Err(QuotaError("down".into())),
            false => self.quota.take(period, amount, limit).await,
        }
    }

    async fn give_back(&self, period: &str, amount: u64) -> Result<(), QuotaError> {
        match self.failures.next() {
            true => Err(QuotaError("down".into())),
            false => self.quota.give_back(period, amount).await,
        }
    }
}

/// A secret that somebody may change.
#[derive(Clone)]
pub struct Secret(Arc<Mutex<String>>);

impl Secret {
    pub fn set(&self, text: &str) {
        *self.0.lock().unwrap() = text.to_owned();
    }
}

impl SecretStore for Secret {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async { Ok(self.0.lock().unwrap().clone()) })
    }
}

/// The pieces around one handler.
pub struct World {
    directory: Arc<tempfile::TempDir>,
    limit: u64,
    pub clock: Arc<HeldClock>,
    pub store: Store,
    pub queue: EmbeddedQueue,
    pub flaky: FlakyQueue,
    pub quota: FlakyQuota,
    pub secret: Secret,
    pub topic: EmbeddedTopic,
    handler: Handler<FlakyQueue, FlakyQuota>,
}

impl World {
    /// A world in which Segment takes so many users a month.
    pub async fn new(fake: &FakeServer, limit: u64) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let clock = HeldClock::at("2026-11-21T04:00:00Z".parse::<Timestamp>().unwrap());
        Self::open(directory, clock, fake, limit).await
    }

    /// The world after its process was killed and started again.
    pub async fn restarted(self, fake: &FakeServer) -> Self {
        let (directory, clock, limit) = (self.directory.clone(), self.clock.clone(), self.limit);
        drop(self);
        Self::open(directory, clock, fake, limit).await
    }

    async fn open(
        directory: Arc<tempfile::TempDir>,
        clock: Arc<HeldClock>,
        fake: &FakeServer,
        limit: u64,
    ) -> Self {
        let store = loop {
            // The thread of the store that was dropped may take a moment to let go of the file, and so may calls that
            // were under way to end.
            match Store::open(directory.path(), clock.clone()) {
                Err(StoreError::InUse) => tokio::task::yield_now().await,
                opened => break opened.unwrap(),
            }
        };
        let secret = Secret(Arc::new(Mutex::new(r#"{"default":"t1","shop":"t2","app":"t1"}"#.to_owned())));
        let tokens = Arc::new(CachedSecret::new(secret.clone(), Tokens::parse, clock.clone()));
        let now = clock.clone();
        let (http, api) = (platform::http::client().unwrap(), fake.url().parse().unwrap());
        let regulations = Regulations::new(http, api, RegulationType::DeleteOnly)
            .with_deadline(DEADLINE)
            .with_clock(move || now.now());
        let queue = store.queue("regulations");
        let flaky = FlakyQueue { queue: queue.clone(), failures: Failures::default() };
        let quota = FlakyQuota { quota: store.quota(), failures: Failures::default() };
        let topic = store.topic(vec![Subscription { queue: "regulations", wants: |_| true }]);
        let handler =
            Handler::with_limit(flaky.clone(), regulations, tokens, quota.clone(), clock.clone(), limit);
        Self { directory, limit, clock, store, queue, flaky, quota, secret, topic, handler }
    }

    /// Publishes what may be a delete, with the attributes of one.
    pub async fn publish(&self, body: &str, write_key: &str) {
        let attributes = [(WRITE_KEY, write_key), (MESSAGE_TYPE, "delete")];
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
            self.poll(5_000).await;
            self.clock.advance(Duration::from_secs(1));
        }
        panic!("the queue is not empty after 10,000 polls");
    }

    /// The attributes of what is in the dead-letter queue.
    pub async fn dead(&self) -> Vec<BTreeMap<String, String>> {
        let dead = self.queue.dead_letters(u32::MAX).await.unwrap();
        dead.into_iter().map(|letter| letter.attributes).collect()
    }

    /// How much of a month's quota is used.
    pub async fn used(&self, period: &'static str) -> i64 {
        let used = "SELECT COALESCE(SUM(used), 0) FROM quota WHERE period = ?1";
        self.store
            .run(move |connection| connection.query_row(used, [period], |row| row.get(0)))
            .await
            .unwrap()
    }
}

/// The deletion of a user.
pub fn delete(user_id: &str) -> String {
    format!(r#"{{"type":"delete","userId":"{user_id}","messageId":"of {user_id}"}}"#)
}

/// The token of a request.
pub fn token(request: &Request) -> &str {
    request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap()
}

/// The users of a request.
pub fn users(request: &Request) -> Vec<String> {
    let ids = request.json()["subjectIds"].as_array().unwrap().clone();
    ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// The users of every request that was taken, repeats included.
pub fn taken(fake: &FakeServer) -> Vec<String> {
    fake.requests().iter().filter(|request| request.taken).flat_map(users).collect()
}
