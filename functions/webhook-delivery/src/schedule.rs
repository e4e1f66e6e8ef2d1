//! When to try again: pure functions of attempts, time, the webhook's wish and a random number.

use std::time::Duration;

/// The longest wait before the first retry.
pub const FIRST_WAIT: Duration = Duration::from_secs(5);

/// The longest wait, unless the webhook asks for more.
pub const MAX_WAIT: Duration = Duration::from_secs(15 * 60);

/// How long a message is tried from its first attempt on, unless it is set otherwise (Segment's Webhooks
/// destination, "Retries": "for up to four hours").
pub const WINDOW: Duration = Duration::from_secs(4 * 60 * 60);

/// The longest window that can be set.
pub const MAX_WINDOW: Duration = Duration::from_secs(12 * 60 * 60);

/// How long to wait after `attempts` failed attempts (1 or more), `elapsed` after the first one: anything
/// between nothing and 5 s, 10 s, 20 s … 15 min. `after`, when the webhook named a time, wins. What reaches
/// beyond the window is cut to its end, where the last attempt is made; after that there is none.
/// `random` lies in 0..1.
pub fn wait(
    attempts: u32,
    elapsed: Duration,
    after: Option<Duration>,
    window: Duration,
    random: f64,
) -> Option<Duration> {
    let left = window.checked_sub(elapsed).filter(|left| !left.is_zero())?;
    let wait = after.unwrap_or_else(|| {
        let doublings = attempts.saturating_sub(1).min(10);
        (FIRST_WAIT * 2_u32.pow(doublings)).min(MAX_WAIT).mul_f64(random.clamp(0.0, 1.0))
    });
    Some(wait.min(left))
}

/// How long a message waits whose webhook is not to be called for `pause`, `elapsed` after its first attempt or
/// since it waits: the longer already, the longer again, so that a dead webhook's backlog costs little, and spread out
/// after the pause, so that it does not come back all at once, ahead of what is for other webhooks.
pub fn hold(pause: Duration, elapsed: Duration, window: Duration, random: f64) -> Option<Duration> {
    let left = window.checked_sub(elapsed).filter(|left| !left.is_zero())?;
    let wait = elapsed.clamp(FIRST_WAIT, MAX_WAIT).mul_f64(random.clamp(0.0, 1.0));
    Some((pause + wait).min(MAX_WAIT).min(left))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn timeline(window: Duration, random: f64) -> Vec<u64> {
        let mut times = Vec::new();
        let mut elapsed = Duration::ZERO;
        for attempts in 1.. {
            times.push(elapsed.as_secs());
            match wait(attempts, elapsed, None, window, random) {
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
        assert_eq!(timeline(MAX_WINDOW, 1.0).last(), Some(&43_200));
        assert_eq!(timeline(MAX_WINDOW, 1.0).len(), 56);
    }

    #[test]
    fn the_webhooks_wish_wins_up_to_what_is_left_of_the_window() {
        let seconds = Duration::from_secs;
        for (elapsed, after, expected) in
            [(0, 120, Some(120)), (0, 7_200, Some(7_200)), (14_000, 7_200, Some(400)), (14_400, 1, None)]
        {
            assert_eq!(wait(1, seconds(elapsed), Some(seconds(after)), WINDOW, 0.3), expected.map(seconds));
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
            assert_eq!(hold(seconds(pause), seconds(elapsed), WINDOW, random), expected.map(seconds));
        }
    }

    proptest! {
        #[test]
        fn no_wait_reaches_beyond_the_window(
            attempts in 0_u32..100, elapsed in 0_u64..60_000, after in proptest::option::of(0_u64..100_000),
            window in 0_u64..43_200, random in 0.0..1.0,
        ) {
            let seconds = Duration::from_secs;
            let after = after.map(seconds);
            match wait(attempts, seconds(elapsed), after, seconds(window), random) {
                Some(wait) => prop_assert!(seconds(elapsed) + wait <= seconds(window)),
                None => prop_assert!(elapsed >= window),
            }
        }
    }
}
