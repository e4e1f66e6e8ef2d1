//! When to try again: pure functions of attempts, the other side's wish and a random number.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};

/// The longest wait before the first retry.
pub const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest wait at all, also where the other side asks for more: SQS delays a message by 15 minutes at
/// most (SQS API reference, SendMessage, "DelaySeconds").
pub const MAX_WAIT: Duration = Duration::from_secs(15 * 60);

/// The shortest wait that the other side can ask for: obeyed to the letter, a `Retry-After: 0` is a busy loop.
pub const SHORTEST_WISH: Duration = Duration::from_secs(1);

/// The longest, in which every caller's own limit has room.
const LONGEST_WISH: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait after `attempts` failed attempts (1 or more): exponential with full jitter, so anything
/// between nothing and 1 s, 2 s, 4 s … 15 min. `after`, when the other side named a time, wins.
/// `random` lies in 0..1.
pub fn wait(attempts: u32, after: Option<Duration>, random: f64) -> Duration {
    if let Some(after) = after {
        return after.min(MAX_WAIT);
    }
    let doublings = attempts.saturating_sub(1).min(10);
    (FIRST_WAIT * 2_u32.pow(doublings)).min(MAX_WAIT).mul_f64(random.clamp(0.0, 1.0))
}

/// The wait that is kept when the other side asks for this one. Every wish goes through here, so that none makes a
/// caller spin.
pub fn wish(asked: Duration) -> Duration {
    asked.clamp(SHORTEST_WISH, LONGEST_WISH)
}

/// Reads a `Retry-After` header: seconds, or an HTTP date seen from `now`. A date in the past and a negative number are
/// the shortest wish. `None` when it is neither.
pub fn parse_retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Some(seconds) = whole_seconds(header) {
        return Some(wish(Duration::from_secs(seconds)));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    Some(wish(Duration::try_from(date.duration_since(now)).unwrap_or_default()))
}

/// A number of any length: what is less than nothing is nothing, what is too large is the largest.
fn whole_seconds(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(if text.starts_with('-') { 0 } else { digits.parse().unwrap_or(u64::MAX) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_a_second_to_a_quarter_of_an_hour() {
        let longest: Vec<u64> = (1..=13).map(|attempts| wait(attempts, None, 1.0).as_secs()).collect();
        assert_eq!(longest, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert_eq!(wait(u32::MAX, None, 1.0), MAX_WAIT);
        assert_eq!(wait(0, None, 1.0), FIRST_WAIT);
    }

    #[test]
    fn jitter_is_full() {
        assert_eq!(wait(5, None, 0.0), Duration::ZERO);
        assert_eq!(wait(5, None, 0.5), Duration::from_secs(8));
    }

    #[test]
    fn the_other_sides_wish_wins_up_to_the_longest_wait() {
        assert_eq!(wait(1, Some(Duration::from_secs(120)), 0.0), Duration::from_secs(120));
        assert_eq!(wait(1, Some(Duration::from_secs(86_400)), 0.0), MAX_WAIT);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        for (header, expected) in [
            ("30", Some(30)),
            (" 0 ", Some(1)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(1)),
            ("-1", Some(1)),
            ("99999999999999999999999", Some(86_400)),
            ("Fri, 01 Jan 9999 00:00:00 GMT", Some(86_400)),
            ("soon", None),
            ("1.5", None),
            ("-", None),
            ("", None),
        ] {
            assert_eq!(parse_retry_after(header, now).map(|wait| wait.as_secs()), expected, "{header}");
        }
    }
}
