//! Clocks, so that tests can control time.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells the time, and waits.
pub trait Clock: Send + Sync {
    /// Returns the time of day, for messages and people. It jumps when the clock is set.
    fn now(&self) -> Timestamp;
    /// Returns the time by which waits and ages are measured. In a process that measures them alone, it
    /// starts at the time of day and then runs evenly, even when the clock is set.
    fn steady(&self) -> Timestamp {
        self.now()
    }
    /// Returns after `wait`.
    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The clock that all parts of a process share.
pub type SharedClock = Arc<dyn Clock>;

/// The system clock. Functions on AWS compare its times with those of other machines, which are correct too.
/// A monotonic clock may stop there between two invocations. So the steady time is the time of day.
pub struct SystemClock;

impl SystemClock {
    /// Returns the system clock, ready to share.
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(wait))
    }
}

/// The system clock for a process that keeps its queues itself.
pub struct SteadyClock {
    began: Timestamp,
    since: Instant,
}

impl SteadyClock {
    /// Returns a clock whose steady time begins now, ready to share.
    pub fn shared() -> SharedClock {
        Arc::new(Self { began: SystemClock.now(), since: Instant::now() })
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn steady(&self) -> Timestamp {
        self.began.checked_add(self.since.elapsed()).unwrap_or(Timestamp::MAX)
    }

    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        SystemClock.sleep(wait)
    }
}

/// A clock for tests. It moves only when it is told to, or when somebody sleeps: then the wait is over at
/// once.
pub struct HeldClock(Mutex<Held>);

struct Held {
    now: Timestamp,
    steady: Timestamp,
}

impl HeldClock {
    /// Returns a clock that shows `start`.
    pub fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Held { now: start, steady: start })))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut held = self.held();
        held.now = held.now.checked_add(by).unwrap_or(Timestamp::MAX);
        held.steady = held.steady.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Sets the time of day, as an administrator or NTP does. No time passes.
    pub fn set(&self, by: SignedDuration) {
        let mut held = self.held();
        held.now = held.now.saturating_add(by).unwrap_or(held.now);
    }

    /// Acts as if the process ended and another one began: the steady time starts again at the time of day.
    pub fn restart(&self) {
        let mut held = self.held();
        held.steady = held.now;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        self.held().now
    }

    fn steady(&self) -> Timestamp {
        self.held().steady
    }

    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.advance(wait);
        Box::pin(tokio::task::yield_now())
    }
}
