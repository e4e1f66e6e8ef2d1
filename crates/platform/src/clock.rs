//! Time that a test can hold.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The time, and waiting for it.
pub trait Clock: Send + Sync {
    /// The time of day, for what others are told. It jumps when somebody sets the clock.
    fn now(&self) -> Timestamp;
    /// The time by which waits and ages are measured. Where a process is the only one that measures them, it goes on
    /// evenly from the time of day at which the process began, whatever becomes of that.
    fn steady(&self) -> Timestamp {
        self.now()
    }
    /// Returns when `wait` has passed.
    fn sleep(&self, wait: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The clock that everything shares.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock. Functions on AWS compare its times with those of other machines, whose clocks are right too; and
/// what is monotonic may stand still there between two invocations. So its steady time is the time of day.
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock, ready to share.
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

/// The machine's clock for a process that keeps its queues itself.
pub struct SteadyClock {
    began: Timestamp,
    since: Instant,
}

impl SteadyClock {
    /// A clock whose steady time begins now, ready to share.
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

/// A clock that moves only when told to, or when somebody sleeps: then the wait is over at once.
pub struct HeldClock(Mutex<Held>);

struct Held {
    now: Timestamp,
    steady: Timestamp,
}

impl HeldClock {
    /// A clock that shows `start`.
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

    /// The process ends and another begins: its steady time begins with the time of day.
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
