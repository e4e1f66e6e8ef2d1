//! How long the other side asks to wait.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};

/// The shortest wait that the other side can ask for: obeyed to the letter, a `Retry-After: 0` is a busy loop.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// The longest, in which every caller's own limit has room.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait that is kept when the other side asks for this one. Every wish goes through here, so that none makes a
/// caller spin.
pub fn clamp(asked: Duration) -> Duration {
    asked.clamp(SHORTEST, LONGEST)
}

/// Reads a `Retry-After` header: seconds, or an HTTP date seen from `now`. A date in the past and a negative number are
/// the shortest wish. `None` when it is neither.
pub fn parse(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Some(seconds) = whole_seconds(header) {
        return Some(clamp(Duration::from_secs(seconds)));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    Some(clamp(Duration::try_from(date.duration_since(now)).unwrap_or_default()))
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
            assert_eq!(parse(header, now).map(|wait| wait.as_secs()), expected, "{header}");
        }
    }
}
