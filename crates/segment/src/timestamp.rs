//! Times as Segment wants them: ISO 8601, UTC, with milliseconds.

use jiff::{Timestamp, civil, fmt::temporal::DateTimePrinter, tz::TimeZone};
use serde_json::Value;

/// Writes a time as `2026-11-21T04:05:06.789Z`.
pub fn format(time: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    PRINTER.timestamp_to_string(&time)
}

/// A time from milliseconds since 1970, as identity providers send it. `None` outside the years 0 to 9999,
/// which ISO 8601 cannot write.
pub fn from_epoch_milliseconds(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok().filter(|time| {
        (civil::date(0, 1, 1)..=civil::date(9999, 12, 31)).contains(&TimeZone::UTC.to_datetime(*time).date())
    })
}

/// Reads ISO 8601 (with `Z`, an offset or none, which is taken as UTC; a date alone is its midnight) or
/// epoch milliseconds, as a number or as digits. `None` when it is neither.
pub fn parse(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => from_epoch_milliseconds(number.as_i64()?),
        Value::String(text) if text.len() > 8 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            from_epoch_milliseconds(text.parse().ok()?)
        }
        Value::String(text) => {
            let zoned = text.parse::<Timestamp>().ok();
            let time =
                zoned.or_else(|| TimeZone::UTC.to_timestamp(text.parse::<civil::DateTime>().ok()?).ok())?;
            from_epoch_milliseconds(time.as_millisecond())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_in_every_usual_form_and_written_in_one() {
        for (given, expected) in [
            (json!("2026-11-21T04:05:06.789Z"), "2026-11-21T04:05:06.789Z"),
            (json!("2026-11-21T04:05:06Z"), "2026-11-21T04:05:06.000Z"),
            (json!("2026-11-21T06:05:06.7891+02:00"), "2026-11-21T04:05:06.789Z"),
            (json!("2026-11-21T06:05:06+0200"), "2026-11-21T04:05:06.000Z"),
            (json!("2026-11-21T04:05:06"), "2026-11-21T04:05:06.000Z"),
            (json!("2026-11-21 04:05:06Z"), "2026-11-21T04:05:06.000Z"),
            (json!("2026-11-21"), "2026-11-21T00:00:00.000Z"),
            (json!(1505762615056_i64), "2017-09-18T19:23:35.056Z"),
            (json!("1505762615056"), "2017-09-18T19:23:35.056Z"),
            (json!(-1), "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(parse(&given).map(format).as_deref(), Some(expected), "{given}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for given in [
            json!(""),
            json!("yesterday"),
            json!("2026-13-01"),
            json!(1.5),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(-99_999_999_999_999_i64),
            json!(null),
            json!({}),
        ] {
            assert_eq!(parse(&given), None, "{given}");
        }
    }
}
