//! Stops calling a Segment that keeps failing, and finds out when it is back.
//!
//! Without it an outage of hours would hide or re-send a backlog of a million messages again and again. With
//! it the backlog stays in the queue, visible and untouched, while each consumer holds one batch and probes
//! with it; the first probe that succeeds lets everything flow again at full rate.

use std::time::Duration;

use jiff::Timestamp;
use segment::retry;

/// How many calls in a row must fail.
const THRESHOLD: u32 = 3;

/// The longest time between two probes, unless Segment itself asked to wait longer.
pub(crate) const MAX_INTERVAL: Duration = Duration::from_secs(20);

/// How long a probe may take before somebody else probes: the client's deadline for one call, doubled for
/// the second call after a refused write key.
const PROBE_TIME: Duration = Duration::from_secs(20);

/// The state for one write key: one workspace's rate limit must not hold up another's messages.
#[derive(Debug, Default)]
pub struct Breaker {
    failures: u32,
    open_until: Option<Timestamp>,
}

/// Whether a call may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Now.
    Go,
    /// Not before this long.
    Wait(Duration),
}

impl Breaker {
    /// Asks to call. When the breaker is open and its time is over, one caller gets leave to probe.
    pub fn permit(&mut self, now: Timestamp) -> Permit {
        match self.open_until {
            Some(until) if now < until => Permit::Wait(until.duration_since(now).unsigned_abs()),
            Some(_) => {
                self.open_until = now.checked_add(PROBE_TIME).ok();
                Permit::Go
            }
            None => Permit::Go,
        }
    }

    /// Segment answered, whatever it thought of the messages.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A call failed in a way that asks for a retry. `after` is what Segment asked for; `random` lies in 0..1.
    pub fn failed(&mut self, now: Timestamp, after: Option<Duration>, random: f64) {
        self.failures = self.failures.saturating_add(1);
        let pause = match after {
            Some(after) => after.min(retry::MAX_WAIT),
            None if self.failures < THRESHOLD => return,
            None => {
                let doublings = (self.failures - THRESHOLD).min(10);
                // Half of it is jitter, so that consumers do not probe in step.
                (retry::FIRST_WAIT * 2_u32.pow(doublings)).min(MAX_INTERVAL).mul_f64(0.5 + random / 2.0)
            }
        };
        self.open_until = now.checked_add(pause).ok();
    }
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

    #[test]
    fn it_opens_after_three_failures_in_a_row_and_then_probes_ever_more_rarely() {
        let mut breaker = Breaker::default();
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
    fn a_success_in_between_starts_the_count_again() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.failed(at(0), None, 1.0);
            breaker.failed(at(0), None, 1.0);
            breaker.succeeded();
        }
        assert_eq!(breaker.permit(at(0)), Permit::Go);
    }

    #[test]
    fn one_caller_probes_at_a_time_and_a_lost_probe_is_followed_by_another() {
        let mut breaker = Breaker::default();
        (0..3).for_each(|_| breaker.failed(at(0), None, 1.0));
        assert_eq!(breaker.permit(at(1)), Permit::Go);
        assert_eq!(breaker.permit(at(1)), wait(20));
        assert_eq!(breaker.permit(at(21)), Permit::Go);
    }

    #[test]
    fn what_segment_asks_for_is_obeyed_at_once_up_to_a_quarter_of_an_hour() {
        let mut breaker = Breaker::default();
        breaker.failed(at(0), Some(Duration::from_secs(60)), 0.0);
        assert_eq!(breaker.permit(at(0)), wait(60));
        breaker.failed(at(0), Some(Duration::from_secs(86_400)), 0.0);
        assert_eq!(breaker.permit(at(0)), wait(900));
    }
}
