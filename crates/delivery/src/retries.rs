//! When to retry, as pure functions of the number of attempts, the time, the requested wait and a random
//! number.

use std::time::Duration;

use platform::{
    backoff::backoff,
    delivery_state::{ENTERED, SINCE},
    queue::MAX_DELAY,
};

use crate::Failure;

/// A queue silently drops a message after 14 days. A message that is not delivered a day before that goes to
/// the dead-letter queue.
const RETENTION: Duration = Duration::from_secs(13 * 24 * 60 * 60);

/// The number of attempts with refused credentials. They take about four minutes together.
pub(crate) const CREDENTIAL_ATTEMPTS: u32 = 8;

/// How a destination's messages are retried.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    /// The longest wait before the first retry. It doubles with each attempt, up to [`MAX_DELAY`].
    pub first_wait: Duration,
    /// How long the retries continue.
    pub window: Window,
}

/// How long a message is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// For 13 days from its entry into the queue: as long as the queue keeps it, less a day.
    Retention,
    /// For this long from its first attempt.
    FromFirstAttempt(Duration),
}

impl Window {
    /// Returns the attribute with the time at which a message entered its queue.
    pub(crate) fn entered_attribute(self) -> &'static str {
        match self {
            Self::Retention => SINCE,
            Self::FromFirstAttempt(_) => ENTERED,
        }
    }
}

impl Retries {
    /// Returns the wait after `attempts` failed attempts (1 or more), `elapsed` after the start of the
    /// window. It is a random part of the [backoff], or `after` if the destination asked for a wait. The wait
    /// ends with the window at the latest, so the last attempt is made then. Returns `None` after the end of
    /// the window. `random` lies in 0..1.
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

    /// Returns the wait for a message that the breaker holds for `pause`, `elapsed` after the start of its
    /// window. The wait grows with the time that the message has already waited, within hours, so that a dead
    /// destination's backlog costs little. It has a random part after the pause, so that the messages do not
    /// all come back at once, ahead of messages for other targets. A message that was never tried has a window
    /// of at least 15 minutes.
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

    /// Returns how much of the window is left, if any.
    pub(crate) fn left(self, elapsed: Duration) -> Option<Duration> {
        let window = match self.window {
            Window::Retention => RETENTION,
            Window::FromFirstAttempt(window) => window,
        };
        window.checked_sub(elapsed).filter(|left| !left.is_zero())
    }

    /// Returns the failure of a message whose window is over, after its last failure.
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
    fn a_requested_wait_wins_up_to_the_end_of_the_window() {
        let seconds = Duration::from_secs;
        for (elapsed, after, expected) in
            [(0, 120, Some(120)), (0, 7_200, Some(7_200)), (14_000, 7_200, Some(400)), (14_400, 1, None)]
        {
            let wait = within(WINDOW).wait(1, seconds(elapsed), Some(seconds(after)), 0.3);
            assert_eq!(wait, expected.map(seconds));
        }
    }

    #[test]
    fn a_held_message_waits_for_the_probe_and_longer_each_time() {
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
    fn a_message_that_was_never_tried_has_a_window_of_at_least_a_quarter_of_an_hour() {
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
