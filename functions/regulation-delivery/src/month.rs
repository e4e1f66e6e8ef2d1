//! The calendar months of Segment's limit. Segue takes them as months in UTC.

use std::time::Duration;

use jiff::{Timestamp, ToSpan, tz::TimeZone};

/// Returns the name of the month's quota in the ledger, such as `regulations#default#2026-11`.
pub(crate) fn period(token: &str, now: Timestamp) -> String {
    let date = now.to_zoned(TimeZone::UTC).date();
    format!("regulations#{token}#{:04}-{:02}", date.year(), date.month())
}

/// Returns the time until the next month.
pub(crate) fn until_next(now: Timestamp) -> Duration {
    let date = now.to_zoned(TimeZone::UTC).date().first_of_month();
    let next = date.checked_add(1.month()).and_then(|date| date.to_zoned(TimeZone::UTC));
    // There is no next month after the year 9999.
    next.map_or(Duration::MAX, |next| next.timestamp().duration_since(now).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_at_midnight_utc() {
        for (now, expected, seconds) in [
            ("2026-11-01T00:00:00Z", "regulations#shop#2026-11", 30 * 86_400),
            ("2026-11-30T23:59:59Z", "regulations#shop#2026-11", 1),
            ("2026-12-01T00:30:00+01:00", "regulations#shop#2026-11", 1_800),
            ("2026-12-31T23:00:00Z", "regulations#shop#2026-12", 3_600),
            ("2028-02-29T00:00:00Z", "regulations#shop#2028-02", 86_400),
        ] {
            let now = now.parse().unwrap();
            assert_eq!(period("shop", now), expected);
            assert_eq!(until_next(now).as_secs(), seconds, "{now}");
        }
        assert_eq!(until_next(Timestamp::MAX), Duration::MAX);
    }
}
