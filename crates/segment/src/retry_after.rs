//! The wait that the other side asks for.

use std::time::Duration;

use jiff::{Timestamp, fmt::rfc2822};

/// The shortest wait. Without it, a `Retry-After: 0` would cause a busy loop.
pub const SHORTEST: Duration = Duration::from_secs(1);

/// The longest wait. It leaves room for every caller's own limit.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the wait to use when the other side asks for `asked`. Every requested wait passes through here, so
/// that none causes a busy loop.
pub fn clamp(asked: Duration) -> Duration {
    asked.clamp(SHORTEST, LONGEST)
}

/// Reads a `Retry-After` header: seconds, or an HTTP date relative to `now`. A past date and a negative
/// number become the shortest wait. Returns `None` if it is neither.
pub fn parse(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Some(seconds) = whole_seconds(header) {
        return Some(clamp(Duration::from_secs(seconds)));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
    Some(clamp(Duration::try_from(date.duration_since(now)).unwrap_or_default()))
}

/// Reads a number of any length. A negative number becomes zero, and one that is too large becomes the
/// largest number.
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
