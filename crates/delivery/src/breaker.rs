//! A circuit breaker. It stops calls to a target that keeps failing, and detects when the target is back.
//!
//! Without it, an outage of hours would retry a backlog of a million messages again and again, each with a
//! call that takes its whole deadline. With it, one caller probes at a time. The first probe that succeeds
//! closes the breaker, and all messages are sent at full rate again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use platform::{clock::SharedClock, queue::MAX_DELAY};
use segment::retry_after;

use crate::Outcome;

/// How often a waiting batch checks whether its target may be called again.
const STEP: Duration = Duration::from_millis(250);

/// When a breaker opens, and how it probes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The number of failures in a row that opens the breaker.
    pub threshold: u32,
    /// The time until the first probe. It doubles with each failed probe.
    pub first_pause: Duration,
    /// The longest time between two probes, unless the target asks for a longer wait.
    pub longest_pause: Duration,
    /// How long a probe may take before another caller probes: the longest duration of a call.
    pub probe_time: Duration,
}

/// The breaker of one target.
#[derive(Debug)]
struct Breaker {
    limits: Limits,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Calls are allowed. Counts the failures in a row.
    Closed { failures: u32 },
    /// Calls are not allowed. Counts the failed probes.
    Open { until: Timestamp, probes: u32 },
    /// A probe is under way.
    Probing { until: Timestamp, probes: u32 },
}

/// Whether a call is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// The call is allowed now.
    Go,
    /// The call is not allowed for this long.
    Wait(Duration),
}

impl Breaker {
    /// Returns a closed breaker.
    fn new(limits: Limits) -> Self {
        Self { limits, state: State::Closed { failures: 0 } }
    }

    /// Asks for permission to call at this [steady](platform::clock::Clock::steady) time. When the breaker is
    /// open and its pause is over, one caller may probe.
    fn permit(&mut self, now: Timestamp) -> Permit {
        match self.state {
            State::Closed { .. } => Permit::Go,
            State::Open { until, .. } | State::Probing { until, .. } if self.is_ahead(until, now) => {
                Permit::Wait(until.duration_since(now).unsigned_abs())
            }
            State::Open { probes, .. } | State::Probing { probes, .. } => {
                self.state = State::Probing { until: later(now, self.limits.probe_time), probes };
                Permit::Go
            }
        }
    }

    /// Records that the target answered, even if it refused the message.
    fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// Records a failure that asks for a retry. `after` is the wait that the target asked for, within
    /// [`retry_after::SHORTEST`] and [`MAX_DELAY`]. `random` lies in 0..1.
    fn failed(&mut self, now: Timestamp, after: Option<Duration>, random: f64) {
        let after = after.map(|after| later(now, after.clamp(retry_after::SHORTEST, MAX_DELAY)));
        self.state = match (&self.state, after) {
            (State::Closed { failures }, None) if failures + 1 < self.limits.threshold => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. }, None) => self.open(now, 0, random),
            (State::Closed { .. }, Some(until)) => State::Open { until, probes: 0 },
            (State::Probing { probes, .. }, None) => self.open(now, probes + 1, random),
            (State::Probing { probes, .. }, Some(until)) => State::Open { until, probes: probes + 1 },
            // The call began before the breaker opened, so it changes nothing.
            (State::Open { .. }, None) => return,
            (State::Open { until, probes }, Some(after)) => {
                State::Open { until: after.max(*until), probes: *probes }
            }
        };
    }

    /// Whether a pause is still going on. A time further away than any pause comes from a clock that was set
    /// back, and counts as over.
    fn is_ahead(&self, until: Timestamp, now: Timestamp) -> bool {
        let longest = MAX_DELAY.max(self.limits.longest_pause).max(self.limits.probe_time);
        now < until && until.duration_since(now).unsigned_abs() <= longest
    }

    /// Returns the open state. Half of the pause is jitter, so that consumers do not probe at the same time.
    fn open(&self, now: Timestamp, probes: u32, random: f64) -> State {
        let pause = self.limits.first_pause.saturating_mul(2_u32.pow(probes.min(10)));
        let pause = pause.min(self.limits.longest_pause).mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
        State::Open { until: later(now, pause), probes }
    }
}

/// The breakers of a destination, one for each name: failures of one target must not delay messages for
/// another.
pub struct Breakers {
    limits: Limits,
    clock: SharedClock,
    by_name: Mutex<HashMap<String, Breaker>>,
}

impl Breakers {
    /// Returns breakers that all start closed.
    pub fn new(limits: Limits, clock: SharedClock) -> Self {
        Self { limits, clock, by_name: Mutex::default() }
    }

    /// Asks for permission to call the target with this name.
    pub fn permit(&self, name: &str) -> Permit {
        self.of(name, |breaker, now| breaker.permit(now))
    }

    /// Waits until the target may be called, for at most `patience`.
    ///
    /// # Errors
    /// How much longer the wait would be.
    pub async fn wait(&self, name: &str, mut patience: Duration) -> Result<(), Duration> {
        loop {
            match self.permit(name) {
                Permit::Go => return Ok(()),
                Permit::Wait(wait) if patience.is_zero() => return Err(wait),
                Permit::Wait(wait) => {
                    // In steps, because a probe of another batch may succeed in the meantime.
                    let step = wait.min(STEP).min(patience);
                    self.clock.sleep(step).await;
                    patience -= step;
                }
            }
        }
    }

    /// Records the outcomes of a call to the target. An outcome that asks for a retry is a failure.
    pub fn record<'a>(&self, name: &str, outcomes: impl IntoIterator<Item = &'a Outcome>) {
        let retried = outcomes.into_iter().find_map(|outcome| match outcome {
            Outcome::Retry { after, .. } => Some(*after),
            _ => None,
        });
        self.of(name, |breaker, now| match retried {
            Some(after) => breaker.failed(now, after, fastrand::f64()),
            None => breaker.succeeded(),
        });
    }

    fn of<R>(&self, name: &str, act: impl FnOnce(&mut Breaker, Timestamp) -> R) -> R {
        let mut breakers = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let breaker = breakers.entry(name.to_owned()).or_insert_with(|| Breaker::new(self.limits));
        act(breaker, self.clock.steady())
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn wait(seconds: u64) -> Permit {
        Permit::Wait(Duration::from_secs(seconds))
    }

    fn breaker() -> Breaker {
        let seconds = Duration::from_secs;
        let (first_pause, longest_pause, probe_time) = (seconds(1), seconds(20), seconds(10));
        Breaker::new(Limits { threshold: 3, first_pause, longest_pause, probe_time })
    }

    #[test]
    fn it_opens_after_three_failures_in_a_row_and_then_probes_less_and_less_often() {
        let mut breaker = breaker();
        for _ in 0..2 {
            breaker.failed(at(0), None, 1.0);
            assert_eq!(breaker.permit(at(0)), Permit::Go);
        }
        let mut now = 0;
        for interval in [1, 2, 4, 8, 16, 20, 20] {
            breaker.failed(at(now), None, 1.0);
            assert_eq!(breaker.permit(at(now)), wait(interval));
            now += i64::try_from(interval).unwrap();
            assert_eq!(breaker.permit(at(now)), Permit::Go, "the probe");
        }
    }

    #[test]
    fn failures_of_calls_that_began_before_it_opened_change_nothing() {
        let mut breaker = breaker();
        (0..9).for_each(|_| breaker.failed(at(0), None, 1.0));
        assert_eq!(breaker.permit(at(0)), wait(1));
    }

    #[test]
    fn a_success_in_between_starts_the_count_again() {
        let mut breaker = breaker();
        for _ in 0..10 {
            breaker.failed(at(0), None, 1.0);
            breaker.failed(at(0), None, 1.0);
            breaker.succeeded();
        }
        assert_eq!(breaker.permit(at(0)), Permit::Go);
    }

    #[test]
    fn a_probe_that_succeeds_lets_every_caller_call_again() {
        let mut breaker = breaker();
        (0..3).for_each(|_| breaker.failed(at(0), None, 1.0));
        assert_eq!(breaker.permit(at(1)), Permit::Go);
        breaker.succeeded();
        assert_eq!([breaker.permit(at(1)), breaker.permit(at(1))], [Permit::Go; 2]);
    }

    #[test]
    fn one_caller_probes_at_a_time_and_a_lost_probe_is_followed_by_another() {
        let mut breaker = breaker();
        (0..3).for_each(|_| breaker.failed(at(0), None, 1.0));
        assert_eq!(breaker.permit(at(1)), Permit::Go);
        assert_eq!(breaker.permit(at(1)), wait(10));
        assert_eq!(breaker.permit(at(11)), Permit::Go);
    }

    #[test]
    fn a_clock_that_is_set_back_delays_nobody() {
        let mut breaker = breaker();
        (0..3).for_each(|_| breaker.failed(at(10_800), None, 1.0));
        assert_eq!(breaker.permit(at(0)), Permit::Go);
        breaker.failed(at(0), None, 1.0);
        assert_eq!(breaker.permit(at(0)), wait(2));
    }

    #[test]
    fn a_requested_wait_applies_at_once_up_to_a_quarter_of_an_hour() {
        let mut breaker = breaker();
        breaker.failed(at(0), Some(Duration::from_secs(60)), 0.0);
        assert_eq!(breaker.permit(at(0)), wait(60));
        breaker.failed(at(0), Some(Duration::from_secs(30)), 0.0);
        assert_eq!(breaker.permit(at(0)), wait(60), "the longest requested wait counts");
        breaker.failed(at(0), Some(Duration::from_secs(86_400)), 0.0);
        assert_eq!(breaker.permit(at(0)), wait(900));
    }

    #[test]
    fn a_request_for_no_pause_is_still_a_pause() {
        let mut breaker = breaker();
        for second in 0..5 {
            assert_eq!(breaker.permit(at(second)), Permit::Go);
            breaker.failed(at(second), Some(Duration::ZERO), 0.0);
            assert_eq!(breaker.permit(at(second)), wait(1));
        }
    }
}
