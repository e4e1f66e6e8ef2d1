//! Key sets from URLs. They are cached, and fetched again after some time and when a token names an unknown
//! key.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use platform::{clock::SharedClock, telemetry::Chain};
use reqwest::{Client, Url, header};
use segment::json;
use serde_json::Value;

use super::keys::PublicKey;

/// How long a key set is used before it is fetched again.
const TIME_TO_LIVE: Duration = Duration::from_secs(60 * 60);

/// The shortest time between two fetches once there are keys, so that tokens with invented key ids cannot
/// cause many requests to the provider.
const MIN_INTERVAL: Duration = Duration::from_secs(60);

/// The shortest time between two fetches while there are no keys.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

/// The longest time for a whole fetch: connect, headers and body.
const DEADLINE: Duration = Duration::from_secs(5);

/// FusionAuth's key sets have a few KB; with certificate chains they have some tens of KB.
const MAX_BYTES: usize = 256 * 1024;

type Keys = Arc<[PublicKey]>;

/// The key sets of all URLs.
pub(crate) struct KeySets {
    client: Client,
    clock: SharedClock,
    sets: Mutex<HashMap<Url, Arc<KeySet>>>,
}

#[derive(Default)]
struct KeySet {
    /// Locked during a fetch.
    fetching: tokio::sync::Mutex<()>,
    cached: Mutex<CachedKeys>,
}

#[derive(Clone, Default)]
struct CachedKeys {
    keys: Option<Keys>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
    /// The number of finished fetches.
    fetches: u64,
}

/// Why a key set could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// No complete answer arrived.
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    /// The answer has another status than 200. Redirects are never followed.
    #[error("the answer has status {0}, not 200")]
    Status(u16),
    /// The answer is too large for a key set.
    #[error("the answer is larger than 256 KB")]
    TooLarge,
    /// The answer is not JSON.
    #[error("the answer is not JSON")]
    Json(#[from] json::JsonError),
    /// The answer has no usable key.
    #[error("the answer has no key that can be used")]
    NoKeys,
}

/// Returns how many usable keys `url` has now. A check for people; [`Handler`](crate::Handler) makes the same
/// request at its start.
pub async fn key_set_size(client: &Client, url: &Url) -> Result<usize, KeySetError> {
    Ok(fetch(client, url).await?.len())
}

async fn fetch(client: &Client, url: &Url) -> Result<Keys, KeySetError> {
    let request = client.get(url.clone()).header(header::ACCEPT, "application/json").timeout(DEADLINE);
    // Without the URL, because its query may hold a key.
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    if response.status() != http::StatusCode::OK {
        return Err(KeySetError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(KeySetError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let set = json::parse_object(&body)?;
    let keys = set.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    // A key of an unknown kind does not affect the others.
    let keys: Vec<_> = keys.iter().filter_map(|key| PublicKey::from_value(key).ok()).collect();
    if keys.is_empty() { Err(KeySetError::NoKeys) } else { Ok(keys.into()) }
}

impl KeySets {
    pub fn new(client: Client, clock: SharedClock) -> Self {
        Self { client, clock, sets: Mutex::default() }
    }

    /// Returns the keys. Fetches them at first use, and again when they are old. Returns `None` if they could
    /// never be fetched.
    pub(super) async fn keys(&self, url: &Url) -> Option<Keys> {
        let set = self.set(url);
        let cached = set.cached().clone();
        let old = cached.fetched_at.is_none_or(|at| self.passed(at) >= TIME_TO_LIVE);
        if cached.keys.is_none() {
            self.fetch(url, &set).await
        } else if old && let Ok(_turn) = set.fetching.try_lock() {
            // Other callers continue with the old keys.
            self.fetch_locked(url, &set).await
        } else {
            cached.keys
        }
    }

    /// Fetches the keys again, unless that happened a moment ago, and returns them: for a token that no key
    /// fits.
    pub(super) async fn newer_keys(&self, url: &Url) -> Option<Keys> {
        self.fetch(url, &self.set(url)).await
    }

    /// Fetches a key set. A caller that arrives during a fetch gets its result: with separate fetches,
    /// callers would wait one after the other for a server that hangs.
    async fn fetch(&self, url: &Url, set: &KeySet) -> Option<Keys> {
        let before = set.cached().fetches;
        let _turn = set.fetching.lock().await;
        let cached = set.cached().clone();
        if cached.fetches > before { cached.keys } else { self.fetch_locked(url, set).await }
    }

    /// Fetches a key set. Call it while `fetching` is locked. If the fetch fails, the old keys stay.
    async fn fetch_locked(&self, url: &Url, set: &KeySet) -> Option<Keys> {
        let cached = set.cached().clone();
        let interval = if cached.keys.is_some() { MIN_INTERVAL } else { FIRST_INTERVAL };
        if cached.tried_at.is_some_and(|at| self.passed(at) < interval) {
            return cached.keys;
        }
        // Set now already, for a caller that does not wait for the end.
        set.cached().tried_at = Some(self.clock.steady());
        let fetched = fetch(&self.client, url).await;
        let now = self.clock.steady();
        let mut cached = set.cached();
        cached.fetches += 1;
        // The pause starts at the end, because a server that hangs takes as long as the pause.
        cached.tried_at = Some(now);
        match fetched {
            Ok(keys) => {
                cached.keys = Some(keys);
                cached.fetched_at = Some(now);
            }
            Err(error) => tracing::warn!(
                error = %Chain(&error),
                kept = cached.keys.is_some(),
                "The key set could not be fetched."
            ),
        }
        cached.keys.clone()
    }

    fn set(&self, url: &Url) -> Arc<KeySet> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.get(url) {
            return set.clone();
        }
        sets.entry(url.clone()).or_default().clone()
    }

    fn passed(&self, since: Timestamp) -> Duration {
        self.clock.steady().duration_since(since).unsigned_abs()
    }
}

impl KeySet {
    fn cached(&self) -> MutexGuard<'_, CachedKeys> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
