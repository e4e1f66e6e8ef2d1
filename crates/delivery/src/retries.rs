//! When to try again: pure functions of attempts, time, the destination's wish and a random number.

use std::time::Duration;

use platform::{
    delivery_state::{ENTERED, SINCE},
    queue::MAX_DELAY,
    retry::backoff,
};

use crate::Failure;

/// A queue keeps a message for 14 days and then drops it in silence. A message that is still not delivered a day
/// before that goes to the dead-letter queue instead.
const RETENTION: Duration = Duration::from_secs(13 * 24 * 60 * 60);

/// How many attempts with credentials that are refused, about four minutes in all.
pub(crate) const CREDENTIAL_ATTEMPTS: u32 = 8;

/// How a destination's messages are retried.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// The longest wait before the first retry. It doubles with each attempt, up to [`MAX_DELAY`].
    pub first_wait: Duration,
    /// How long they go on.
    pub window: Window,
}

/// How long a message is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// As long as its queue keeps it, less a day: for 13 days from its entry into the queue.
    Retention,
    /// For this long from its first attempt.
    FromFirstAttempt(Duration),
}

impl Window {
    /// The attribute that says when a message entered its queue.
    pub(crate) fn entered(self) -> &'static str {
        match self {
            Self::Retention => SINCE,
            Self::FromFirstAttempt(_) => ENTERED,
        }
    }
}

impl Retries {
    /// How long to wait after `attempts` failed attempts (1 or more), `elapsed` after the beginning of the window: a
    /// random part of the [backoff], or `after` when the destination named a time. `None` after the window's end. The
    /// last attempt after the first one is made at its end. `random` lies in 0..1.
    pub(crate) fn wait(
        self,
        attempts: u32,
        elapsed: Duration,
        after: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        let left = self.left(elapsed)?;
        let wait = after.unwrap_or_else(|| backoff(self.first_wait, attempts, random));
        Some(wait.min(match self.window {
            Window::Retention => MAX_DELAY,
            Window::FromFirstAttempt(_) => left,
        }))
    }

    /// How long a message waits that the breaker holds for `pause`, `elapsed` after the beginning of its window. Within
    /// hours, the longer it waited already, the longer again: so a dead destination's backlog costs little. It is spread
    /// out after the pause, so that it does not come back all at once, ahead of what is for others. A message that was
    /// never tried gets a quarter of an hour, however short the window.
    pub(crate) fn hold(
        self,
        pause: Duration,
        attempts: u32,
        elapsed: Duration,
        random: f64,
    ) -> Option<Duration> {
        let Window::FromFirstAttempt(window) = self.window else { return Some(pause.min(MAX_DELAY)) };
        let window = if attempts == 0 { window.max(MAX_DELAY) } else { window };
        let left = Self { window: Window::FromFirstAttempt(window), ..self }.left(elapsed)?;
        let wait = elapsed.clamp(self.first_wait, MAX_DELAY).mul_f64(random.clamp(0.0, 1.0));
        Some((pause + wait).min(MAX_DELAY).min(left))
    }

    /// How much is left of the window, if anything.
    pub(crate) fn left(self, elapsed: Duration) -> Option<Duration> {
        let window = match self.window {
            Window::Retention => RETENTION,
            Window::FromFirstAttempt(window) => window,
        };
        window.checked_sub(elapsed).filter(|left| !left.is_zero())
    }

    /// The failure of a message whose window is over, after its last one.
    pub(crate) fn expired(self, last: &Failure) -> Failure {
        let reason = match self.window {
            Window::Retention => {
                format!("it was retried for 13 days; the last attempt failed: {}", last.reason)
            }
            Window::FromFirstAttempt(_) => {
                format!("it was retried for the whole retry window; at its end {}", last.reason)
            }
        };
        Failure { code: "expired", reason, status: last.status }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: Duration = Duration::from_secs(4 * 60 * 60);

    fn within(window: Duration) -> Retries {
        Retries { first_wait: Duration::from_secs(5), window: Window::FromFirstAttempt(window) }
    }

    fn timeline(window: Duration, random: f64) -> Vec<u64> {
        let mut times = Vec::new();
        let mut elapsed = Duration::ZERO;
        for attempts in 1.. {
            times.push(elapsed.as_secs());
            match within(window).wait(attempts, elapsed, None, random) {
                Some(wait) => elapsed += wait,
                None => break,
            }
        }
        times
    }

    #[test]
    fn the_full_four_hours_second_by_second() {
        assert_eq!(
            timeline(WINDOW, 1.0),
            [
                0, 5, 15, 35, 75, 155, 315, 635, 1_275, 2_175, 3_075, 3_975, 4_875, 5_775, 6_675, 7_575,
                8_475, 9_375, 10_275, 11_175, 12_075, 12_975, 13_875, 14_400
            ]
        );
        assert_eq!(
            timeline(WINDOW, 0.5),
            [
                0, 2, 7, 17, 37, 77, 157, 317, 637, 1_087, 1_537, 1_987, 2_437, 2_887, 3_337, 3_787, 4_237,
                4_687, 5_137, 5_587, 6_037, 6_487, 6_937, 7_387, 7_837, 8_287, 8_737, 9_187, 9_637, 10_087,
                10_537, 10_987, 11_437, 11_887, 12_337, 12_787, 13_237, 13_687, 14_137, 14_400
            ]
        );
    }

    #[test]
    fn the_window_can_be_nothing_or_half_a_day() {
        assert_eq!(timeline(Duration::ZERO, 1.0), [0]);
        assert_eq!(timeline(Duration::from_secs(12), 1.0), [0, 5, 12]);
        let half_a_day = timeline(Duration::from_hours(12), 1.0);
        assert_eq!((half_a_day.last(), half_a_day.len()), (Some(&43_200), 56));
    }

    #[test]
    fn the_webhooks_wish_wins_up_to_what_is_left_of_the_window() {
        let seconds = Duration::from_secs;
        for (elapsed, after, expected) in
            [(0, 120, Some(120)), (0, 7_200, Some(7_200)), (14_000, 7_200, Some(400)), (14_400, 1, None)]
        {
            let wait = within(WINDOW).wait(1, seconds(elapsed), Some(seconds(after)), 0.3);
            assert_eq!(wait, expected.map(seconds));
        }
    }

    #[test]
    fn what_is_held_waits_for_the_probe_and_ever_longer() {
        let seconds = Duration::from_secs;
        for (pause, elapsed, random, expected) in [
            (5, 0, 1.0, Some(10)),
            (60, 0, 1.0, Some(65)),
            (5, 300, 1.0, Some(305)),
            (5, 300, 0.0, Some(5)),
            (5, 9_000, 1.0, Some(900)),
            (900, 14_390, 1.0, Some(10)),
            (5, 14_400, 1.0, None),
        ] {
            let wait = within(WINDOW).hold(seconds(pause), 1, seconds(elapsed), random);
            assert_eq!(wait, expected.map(seconds));
        }
    }

    #[test]
    fn a_message_that_was_never_tried_waits_a_quarter_of_an_hour_whatever_the_window() {
        let seconds = Duration::from_secs;
        for (elapsed, expected) in [(0, Some(25)), (899, Some(1)), (900, None)] {
            let wait = within(Duration::ZERO).hold(seconds(20), 0, seconds(elapsed), 1.0);
            assert_eq!(wait, expected.map(seconds), "{elapsed}");
        }
    }

    #[test]
    fn in_a_window_of_retention_no_wait_is_longer_than_a_quarter_of_an_hour() {
        let retries = Retries { first_wait: Duration::from_secs(1), window: Window::Retention };
        let (day, hour) = (Duration::from_hours(24), Duration::from_hours(1));
        assert_eq!(retries.wait(1, 12 * day, Some(hour), 1.0), Some(MAX_DELAY));
        assert_eq!(retries.wait(99, 12 * day, None, 1.0), Some(MAX_DELAY));
        assert_eq!(retries.wait(1, 13 * day, None, 1.0), None);
        assert_eq!(retries.hold(hour, 0, 99 * day, 1.0), Some(MAX_DELAY), "this is no attempt");
    }

    proptest! {
        #[test]
        fn no_wait_reaches_beyond_the_window(
            attempts in 0_u32..100, elapsed in 0_u64..60_000, after in proptest::option::of(0_u64..100_000),
            window in 0_u64..43_200, random in 0.0..1.0,
        ) {
            let seconds = Duration::from_secs;
            let after = after.map(seconds);
            match within(seconds(window)).wait(attempts, seconds(elapsed), after, random) {
                Some(wait) => prop_assert!(seconds(elapsed) + wait <= seconds(window)),
                None => prop_assert!(elapsed >= window),
            }
        }
    }
}
