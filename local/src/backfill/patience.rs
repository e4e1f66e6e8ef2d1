//! How long a side that fails is waited for.

use std::time::Duration;

use jiff::Timestamp;
use segment::retry;

/// The longest wait that nobody asked for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A run ends when a side fails for this long: then somebody has to look at it, and the next run goes on.
const GIVE_UP: Duration = Duration::from_secs(30 * 60);

/// How often a side is tried that has never answered: more likely its address is wrong.
const FIRST_ATTEMPTS: u32 = 4;

/// What is known of a side.
#[derive(Default)]
pub struct Patience {
    /// Whether there was ever an answer, be it a refusal.
    answered: bool,
    failures: u32,
    failing_since: Option<Timestamp>,
}

impl Patience {
    /// It did what it was asked for.
    pub fn succeeded(&mut self) {
        *self = Self { answered: true, ..Self::default() };
    }

    /// It failed. `answered` says whether there was an answer at all, `after` how long it asked to wait; `random` lies
    /// in 0..1. Returns how long to wait, or `None` when it is time to give up.
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
            Some(_) => retry::wait(self.failures, after, random),
            None => retry::wait(self.failures, None, random).min(LONGEST_WAIT),
        };
        (!give_up).then_some(wait)
    }

    /// How often it failed since it last did not.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_side_that_never_answered_is_given_up_soon_and_one_that_did_is_not() {
        let mut never = Patience::default();
        let waits: Vec<_> = (0..4).map(|second| never.failed(at(second), false, None, 1.0)).collect();
        assert_eq!(waits.iter().flatten().map(Duration::as_secs).collect::<Vec<_>>(), [1, 2, 4]);
        let mut once = Patience::default();
        once.succeeded();
        let mut now = 0;
        while let Some(wait) = once.failed(at(now), false, None, 1.0) {
            assert!(wait <= LONGEST_WAIT);
            now += wait.as_secs().cast_signed();
        }
        assert!((1_800..1_900).contains(&now), "{now}");
    }

    #[test]
    fn a_refusal_is_an_answer_and_what_it_asks_for_is_done() {
        let mut patience = Patience::default();
        for second in 0..10 {
            let after = Some(Duration::from_secs(300));
            assert_eq!(patience.failed(at(second), true, after, 0.0), after);
        }
        patience.succeeded();
        assert_eq!(patience.failures(), 0);
        assert_eq!(patience.failed(at(9_999), true, None, 1.0), Some(Duration::from_secs(1)));
    }
}
