//! The backoff of retries, as pure functions of the number of attempts, the requested wait and a random
//! number.

use std::time::Duration;

use crate::queue::MAX_DELAY;

/// The longest wait before the first retry of a call to Segment.
pub const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Returns the wait after `attempts` failed calls to Segment (1 or more). If Segment asked for a wait, this
/// is `after`, up to [`MAX_DELAY`]. Otherwise it is the [backoff] from [`FIRST_WAIT`]. `random` lies in 0..1.
pub fn wait(attempts: u32, after: Option<Duration>, random: f64) -> Duration {
    after.map_or_else(|| backoff(FIRST_WAIT, attempts, random), |after| after.min(MAX_DELAY))
}

/// Returns an exponential backoff with full jitter after `attempts` failed attempts (1 or more): a random
/// time up to `first`, then up to twice that, four times that, and so on, up to [`MAX_DELAY`]. `random` lies
/// in 0..1.
pub fn backoff(first: Duration, attempts: u32, random: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(10);
    first.saturating_mul(2_u32.pow(doublings)).min(MAX_DELAY).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_a_second_to_a_quarter_of_an_hour() {
        let longest: Vec<u64> = (1..=13).map(|attempts| wait(attempts, None, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(wait(u32::MAX, None, 1.0), MAX_DELAY);
        assert_eq!(wait(0, None, 1.0), FIRST_WAIT);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(wait(5, None, 0.0), Duration::ZERO);
        assert_eq!(wait(5, None, 0.5), Duration::from_secs(8));
    }

    #[test]
    fn a_requested_wait_wins_up_to_the_longest_wait() {
        assert_eq!(wait(1, Some(Duration::from_secs(120)), 0.0), Duration::from_secs(120));
        assert_eq!(wait(1, Some(Duration::from_secs(86_400)), 0.0), MAX_DELAY);
    }
}
