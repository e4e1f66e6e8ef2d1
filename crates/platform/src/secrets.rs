//! Secrets that are cached, and read again after some time or when the other side refuses them.

use std::{error::Error, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::{clock::SharedClock, telemetry::Chain};

/// How long a secret is used before it is read again.
pub const TIME_TO_LIVE: Duration = Duration::from_secs(5 * 60);

/// The shortest time between two reads. Each read costs money, and there may be many refusals.
pub const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// The text of a secret from its store.
pub type Fetched<'a> =
    Pin<Box<dyn Future<Output = Result<String, Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// A store for one secret.
pub trait SecretStore: Send + Sync {
    /// Reads the secret's text.
    fn fetch(&self) -> Fetched<'_>;

    /// Whether the secret may change. If it cannot, a refusal of the secret is final.
    fn may_change(&self) -> bool {
        true
    }
}

/// A secret from the command line or the environment.
pub struct StaticSecret(pub segment::Secret);

impl SecretStore for StaticSecret {
    fn fetch(&self) -> Fetched<'_> {
        Box::pin(async { Ok(self.0.expose().to_owned()) })
    }

    fn may_change(&self) -> bool {
        false
    }
}

/// Why there is no usable secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SecretError {
    /// The store did not answer, or refused.
    #[error("the secret could not be read")]
    Fetch(#[source] Arc<dyn Error + Send + Sync>),
    /// The secret's text is not valid. The error never quotes the secret.
    #[error("the secret is not usable: {0}")]
    Parse(String),
}

/// Reads the text of a secret. The error says why it cannot be used.
type Parse<T> = Box<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// A secret in its parsed form, cached.
///
/// If a read fails, the old value stays. A secret that is not configured is an error; it never means "let
/// everyone in". Within [`MIN_INTERVAL`] after a failed read, every caller gets the same error without
/// another read.
pub struct CachedSecret<T> {
    store: Box<dyn SecretStore>,
    parse: Parse<T>,
    clock: SharedClock,
    state: Mutex<Option<State<T>>>,
}

struct State<T> {
    /// The value that was read last. If there is none, the error of the last read.
    value: Result<Arc<T>, SecretError>,
    read_at: Timestamp,
}

impl<T> CachedSecret<T> {
    /// Creates a secret that is read at the first [`get`](Self::get). The error of `parse` must not quote the
    /// secret.
    pub fn new(
        store: impl SecretStore + 'static,
        parse: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
        clock: SharedClock,
    ) -> Self {
        Self { store: Box::new(store), parse: Box::new(parse), clock, state: Mutex::new(None) }
    }

    /// Returns the secret. Reads it again when it is older than [`TIME_TO_LIVE`].
    ///
    /// # Errors
    /// [`SecretError`] when it was never read and cannot be read now, or could not be read within the last
    /// [`MIN_INTERVAL`].
    pub async fn get(&self) -> Result<Arc<T>, SecretError> {
        self.value_not_older_than(TIME_TO_LIVE).await
    }

    /// Reads the secret again, unless it was read within [`MIN_INTERVAL`], and returns it. Call this when the
    /// other side refuses the value from [`get`](Self::get).
    ///
    /// # Errors
    /// As for [`get`](Self::get).
    pub async fn refreshed(&self) -> Result<Arc<T>, SecretError> {
        self.value_not_older_than(MIN_INTERVAL).await
    }

    /// Whether a later read may return another value.
    pub fn may_change(&self) -> bool {
        self.store.may_change()
    }

    async fn value_not_older_than(&self, limit: Duration) -> Result<Arc<T>, SecretError> {
        // The lock is held during the read: callers that arrive in the meantime share its result instead of
        // reading too.
        let mut state = self.state.lock().await;
        let Some(state) = &mut *state else {
            let value = self.read().await;
            return state.insert(State { value, read_at: self.clock.steady() }).value.clone();
        };
        // While there is no secret, one may be added at any moment.
        let limit = if state.value.is_ok() { limit } else { MIN_INTERVAL };
        let age = self.clock.steady().duration_since(state.read_at).unsigned_abs();
        if self.may_change() && age >= limit {
            let read = self.read().await;
            // The pause starts at the end of the read, also after a failure. Otherwise, if a read takes
            // longer than the pause, each waiting caller would read again.
            state.read_at = self.clock.steady();
            match (read, &state.value) {
                (Err(error), Ok(_)) => {
                    tracing::warn!(
                        error = %Chain(&error),
                        "A secret could not be refreshed; the old value stays."
                    );
                }
                (read, _) => state.value = read,
            }
        }
        state.value.clone()
    }

    async fn read(&self) -> Result<Arc<T>, SecretError> {
        let text = self.store.fetch().await.map_err(|error| SecretError::Fetch(error.into()))?;
        (self.parse)(&text).map(Arc::new).map_err(SecretError::Parse)
    }
}

impl<T> fmt::Debug for CachedSecret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CachedSecret(***)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as StdMutex;

    use super::*;
    use crate::clock::HeldClock;

    #[derive(Clone)]
    struct Script(Arc<StdMutex<Vec<Result<&'static str, &'static str>>>>);

    impl SecretStore for Script {
        fn fetch(&self) -> Fetched<'_> {
            let next = self.0.lock().unwrap().remove(0);
            Box::pin(async move { next.map(str::to_owned).map_err(Into::into) })
        }
    }

    fn secret(answers: &[Result<&'static str, &'static str>]) -> (CachedSecret<u32>, Arc<HeldClock>, Script) {
        let clock = HeldClock::at(Timestamp::UNIX_EPOCH);
        let script = Script(Arc::new(StdMutex::new(answers.to_vec())));
        let parse = |text: &str| text.parse().map_err(|_| "not a number".to_owned());
        (CachedSecret::new(script.clone(), parse, clock.clone()), clock, script)
    }

    #[tokio::test]
    async fn a_secret_is_read_once_until_its_time_is_over() {
        let (secret, clock, script) = secret(&[Ok("1"), Ok("2")]);
        assert_eq!(*secret.get().await.unwrap(), 1);
        clock.advance(TIME_TO_LIVE - Duration::from_secs(1));
        assert_eq!(*secret.get().await.unwrap(), 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(*secret.get().await.unwrap(), 2);
        assert!(script.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_failing_refresh_keeps_the_old_value_and_waits_before_the_next() {
        let (secret, clock, _) = secret(&[Ok("1"), Err("down"), Ok("broken"), Ok("3")]);
        assert_eq!(*secret.get().await.unwrap(), 1);
        for expected in [1, 1, 3] {
            clock.advance(MIN_INTERVAL);
            assert_eq!(*secret.refreshed().await.unwrap(), expected);
            assert_eq!(*secret.refreshed().await.unwrap(), expected, "no second read within the interval");
        }
    }

    #[tokio::test]
    async fn a_secret_that_was_never_read_is_an_error_and_is_tried_again() {
        let (secret, clock, script) = secret(&[Err("down"), Ok("x"), Ok("1")]);
        assert!(matches!(secret.get().await, Err(SecretError::Fetch(_))));
        clock.advance(MIN_INTERVAL);
        assert_eq!(secret.get().await.unwrap_err().to_string(), "the secret is not usable: not a number");
        clock.advance(MIN_INTERVAL);
        assert_eq!(*secret.get().await.unwrap(), 1);
        assert!(script.0.lock().unwrap().is_empty());
    }

    /// A store whose failure takes longer than the pause between two reads.
    struct Slow(Arc<HeldClock>, Arc<StdMutex<u32>>);

    impl SecretStore for Slow {
        fn fetch(&self) -> Fetched<'_> {
            Box::pin(async {
                tokio::task::yield_now().await;
                *self.1.lock().unwrap() += 1;
                self.0.advance(2 * MIN_INTERVAL);
                Err("down".into())
            })
        }
    }

    #[tokio::test]
    async fn callers_that_wait_for_a_slow_read_share_it() {
        let (clock, reads) = (HeldClock::at(Timestamp::UNIX_EPOCH), Arc::default());
        let store = Slow(clock.clone(), Arc::clone(&reads));
        let secret = CachedSecret::new(store, |text| Ok(text.to_owned()), clock);
        let (one, two, three) = tokio::join!(secret.get(), secret.refreshed(), secret.get());
        assert!(one.is_err() && two.is_err() && three.is_err());
        assert_eq!(*reads.lock().unwrap(), 1);
    }

    #[tokio::test]
    async fn a_secret_that_cannot_change_is_read_once() {
        let clock = HeldClock::at(Timestamp::UNIX_EPOCH);
        let store = StaticSecret(segment::Secret::new("1"));
        let secret = CachedSecret::new(store, |text| Ok(text.to_owned()), clock.clone());
        let first = secret.get().await.unwrap();
        clock.advance(2 * TIME_TO_LIVE);
        assert!(!secret.may_change() && Arc::ptr_eq(&first, &secret.refreshed().await.unwrap()));
    }

    #[tokio::test]
    async fn a_first_read_that_failed_waits_before_the_next_and_its_error_stays() {
        let (secret, clock, script) = secret(&[Err("down"), Ok("x"), Ok("1")]);
        for left in [2, 1] {
            for _ in 0..3 {
                for error in [secret.get().await.unwrap_err(), secret.refreshed().await.unwrap_err()] {
                    match left {
                        2 => assert_eq!(Chain(&error).to_string(), "the secret could not be read: down"),
                        _ => assert!(matches!(error, SecretError::Parse(_)), "{error:?}"),
                    }
                }
                clock.advance(MIN_INTERVAL / 4);
            }
            assert_eq!(script.0.lock().unwrap().len(), left, "no second read within the interval");
            clock.advance(MIN_INTERVAL / 4);
        }
        assert_eq!(*secret.get().await.unwrap(), 1);
        clock.advance(TIME_TO_LIVE - Duration::from_secs(1));
        assert_eq!(*secret.get().await.unwrap(), 1, "it lives as long as one that was read at once");
    }
}
