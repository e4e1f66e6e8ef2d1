//! The test world around the destination.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use platform::{
    clock::{Clock, HeldClock},
    quota::{Quota, QuotaError},
    secrets::CachedSecret,
    sqlite::{SqliteQuota, Store},
};
use regulation_delivery::{RegulationDestination, Tokens};
use segment::regulation::{RegulationType, Regulations};
use testkit::{Failures, FakeServer, Request, StoredSecret};

/// The longest that a call may take.
const DEADLINE: Duration = Duration::from_millis(150);

/// The quota as the destination uses it.
#[derive(Clone)]
pub struct FlakyQuota {
    quota: SqliteQuota,
    failures: Failures,
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

/// The Public API, its tokens, and the month's limit.
#[derive(Clone)]
pub struct Api {
    pub fake: FakeServer,
    pub tokens: StoredSecret,
    pub quota_failures: Failures,
    pub limit: u64,
}

impl Api {
    pub fn new(fake: &FakeServer, limit: u64) -> Self {
        let tokens = StoredSecret::new(r#"{"default":"t1","shop":"t2","app":"t1"}"#);
        Self { fake: fake.clone(), tokens, quota_failures: Failures::default(), limit }
    }

    pub fn destination(&self, store: &Store, clock: &Arc<HeldClock>) -> RegulationDestination<FlakyQuota> {
        let tokens = Arc::new(CachedSecret::new(self.tokens.clone(), Tokens::parse, clock.clone()));
        let now = clock.clone();
        let (http, api) = (platform::http::client().unwrap(), self.fake.url().parse().unwrap());
        let regulations = Regulations::new(http, api, RegulationType::DeleteOnly)
            .with_deadline(DEADLINE)
            .with_clock(move || now.now());
        let quota = FlakyQuota { quota: store.quota(), failures: self.quota_failures.clone() };
        RegulationDestination::new(regulations, tokens, quota, clock.clone()).with_limit(self.limit)
    }
}

/// The pieces around one destination.
pub struct World {
    pub api: Api,
    world: testkit::World<RegulationDestination<FlakyQuota>>,
}

impl std::ops::Deref for World {
    type Target = testkit::World<RegulationDestination<FlakyQuota>>;

    fn deref(&self) -> &Self::Target {
        &self.world
    }
}

impl World {
    /// Returns a world in which Segment takes this many users a month.
    pub fn new(fake: &FakeServer, limit: u64) -> Self {
        let api = Api::new(fake, limit);
        let made = api.clone();
        Self { api, world: testkit::World::new(move |store, clock| made.destination(store, clock)) }
    }

    /// Returns the attributes of the messages in the dead-letter queue.
    pub async fn dead(&self) -> Vec<BTreeMap<String, String>> {
        self.dead_letters().await.into_iter().map(|(_, attributes)| attributes).collect()
    }

    /// Returns how much of a month's quota is used.
    pub async fn used(&self, period: &'static str) -> i64 {
        let used = "SELECT COALESCE(SUM(used), 0) FROM quota WHERE period = ?1";
        self.store
            .run(move |connection| connection.query_row(used, [period], |row| row.get(0)))
            .await
            .unwrap()
    }
}

/// Returns the deletion of a user.
pub fn delete(user_id: &str) -> String {
    format!(r#"{{"type":"delete","userId":"{user_id}","messageId":"of {user_id}"}}"#)
}

/// Returns the token of a request.
pub fn token(request: &Request) -> &str {
    request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap()
}

/// Returns the users of a request.
pub fn users(request: &Request) -> Vec<String> {
    let ids = request.json()["subjectIds"].as_array().unwrap().clone();
    ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Returns the users of every accepted request, with repeats.
pub fn taken(fake: &FakeServer) -> Vec<String> {
    fake.requests().iter().filter(|request| request.taken).flat_map(users).collect()
}
