//! The rate limit for sending, and the retries of a server that fails.

use std::time::Duration;

use jiff::Timestamp;
use platform::backoff;

/// The most events per second that Segment takes from a workspace (Segment docs, "Rate limits").
pub const SEGMENTS_RATE: u32 = 1_000;

/// Spreads events evenly over time.
pub struct Pace {
    rate: u32,
    free_at: Timestamp,
    /// How long the previous batch takes at this rate. No wait is longer, even when the machine's clock is
    /// set back.
    last: Duration,
}

impl Pace {
    /// Allows at most `rate` events per second.
    pub fn new(rate: u32) -> Self {
        Self { rate, free_at: Timestamp::MIN, last: Duration::ZERO }
    }

    /// Returns how many events go at once: half a second's, so that no second has more than the rate.
    pub fn batch_size(&self) -> usize {
        (self.rate / 2).clamp(1, 500) as usize
    }

    /// Returns how long to wait before this many events may be sent.
    pub fn wait(&mut self, now: Timestamp, events: usize) -> Duration {
        let wait = Duration::try_from(self.free_at.duration_since(now)).unwrap_or_default().min(self.last);
        // Only whole batches fit into a second.
        let batch_size = self.batch_size();
        let rate = self.rate as usize / batch_size * batch_size;
        self.last = Duration::from_secs_f64(events as f64 / rate as f64);
        self.free_at = now.checked_add(wait + self.last).unwrap_or(now);
        wait
    }
}

/// The longest wait that no server asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A run ends when a server fails for this long. The next run continues.
const GIVE_UP: Duration = Duration::from_secs(30 * 60);

/// How often a server is tried that has never answered. Its address is probably wrong.
const FIRST_ATTEMPTS: u32 = 4;

/// The failures of one server since its last success, and when to retry it.
#[derive(Default)]
pub struct Retries {
    /// Whether the server ever answered, if only with an error.
    answered: bool,
    failures: u32,
    failing_since: Option<Timestamp>,
}

impl Retries {
    /// Notes a success.
    pub fn succeeded(&mut self) {
        *self = Self { answered: true, ..Self::default() };
    }

    /// Notes a failure. `answered` tells whether the server answered at all, `after` is the wait that it
    /// asked for, `random` lies in 0..1. Returns how long to wait, or `None` when it is time to give up.
    pub fn failed(
        &mut self,
        now: Timestamp,
        answered: bool,
        after: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        self.answered |= answered;
        self.failures += 1;
        let since = *self.failing_since.get_or_insert(now);
        let failing_for = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        let give_up = failing_for >= GIVE_UP || !self.answered && self.failures >= FIRST_ATTEMPTS;
        let wait = match after {
            Some(_) => backoff::wait(self.failures, after, random),
            None => backoff::wait(self.failures, None, random).min(LONGEST_WAIT),
        };
        (!give_up).then_some(wait)
    }

    /// Returns how often it failed since its last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    #[test]
    fn no_second_has_more_events_than_the_rate() {
        for rate in [1, 7, 10, 500, 1_000] {
            let mut pace = Pace::new(rate);
            let (mut now, mut sent) = (at(0), Vec::new());
            for _ in 0..50 {
                now = now.checked_add(pace.wait(now, pace.batch_size())).unwrap();
                sent.push(now);
            }
            for start in &sent {
                let end = start.checked_add(Duration::from_millis(999)).unwrap();
                let batches = sent.iter().filter(|time| (*start..=end).contains(*time)).count();
                assert!(batches * pace.batch_size() <= rate as usize, "{rate}: {batches}");
            }
        }
    }

    #[test]
    fn a_sender_slower_than_the_rate_never_waits_and_saves_up_nothing() {
        let mut pace = Pace::new(1_000);
        for second in 0..3 {
            assert_eq!(pace.wait(at(second * 1_000), 500), Duration::ZERO);
        }
        assert_eq!(pace.wait(at(2_100), 500), Duration::from_millis(400));
    }

    #[test]
    fn a_clock_that_is_set_back_costs_one_batch_at_most() {
        let mut pace = Pace::new(1_000);
        assert_eq!(pace.wait(at(10_000_000), 500), Duration::ZERO);
        assert_eq!(pace.wait(at(0), 500), Duration::from_millis(500));
        assert_eq!(pace.wait(at(500), 500), Duration::from_millis(500));
    }

    #[test]
    fn a_server_that_never_answered_is_given_up_soon_and_one_that_answered_is_not() {
        let mut never = Retries::default();
        let waits: Vec<_> = (0..4).map(|second| never.failed(at(1_000 * second), false, None, 1.0)).collect();
        assert_eq!(waits.iter().flatten().map(Duration::as_secs).collect::<Vec<_>>(), [1, 2, 4]);
        let mut once = Retries::default();
        once.succeeded();
        let mut now = 0;
        while let Some(wait) = once.failed(at(1_000 * now), false, None, 1.0) {
            assert!(wait <= LONGEST_WAIT);
            now += wait.as_secs().cast_signed();
        }
        assert!((1_800..1_900).contains(&now), "{now}");
    }

    #[test]
    fn an_error_answer_counts_as_an_answer_and_its_wait_is_kept() {
        let mut retries = Retries::default();
        for second in 0..10 {
            let after = Some(Duration::from_secs(300));
            assert_eq!(retries.failed(at(1_000 * second), true, after, 0.0), after);
        }
        retries.succeeded();
        assert_eq!(retries.failures(), 0);
        assert_eq!(retries.failed(at(1_000 * 9_999), true, None, 1.0), Some(Duration::from_secs(1)));
    }
}
