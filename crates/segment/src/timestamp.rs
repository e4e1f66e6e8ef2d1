//! Times in Segment's form: ISO 8601, UTC, with milliseconds.

use jiff::{SignedDuration, Timestamp, civil, fmt::temporal::DateTimePrinter, tz::TimeZone};
use serde_json::Value;

mod read;

/// Writes a time as `2026-11-21T04:05:06.789Z`.
pub fn format(time: Timestamp) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    PRINTER.timestamp_to_string(&time)
}

/// Returns the time for milliseconds since 1970, as identity providers send it. Returns `None` outside the
/// years 0 to 9999, which ISO 8601 cannot write.
pub fn from_epoch_milliseconds(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok().filter(|time| {
        (civil::date(0, 1, 1)..=civil::date(9999, 12, 31)).contains(&TimeZone::UTC.to_datetime(*time).date())
    })
}

/// The earliest plausible time of an event: 2000-01-01. Clocks that were never set start at 1970, 1980 or
/// 1999.
const EARLIEST: Timestamp = Timestamp::constant(946_684_800, 0);

/// How far in the future the time of an event may lie: a sender's clock may be wrong by a time zone.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Why the time of receipt replaces an event's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeFault {
    /// The value is not a time.
    #[error("cannot be read")]
    Unreadable,
    /// The time lies before 2000 or more than a day ahead.
    #[error("lies before 2000 or more than a day ahead")]
    Implausible,
}

impl TimeFault {
    /// Returns the name for metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable_time",
            Self::Implausible => "implausible_time",
        }
    }
}

/// Whether an event received at `now` can have happened at `time`: from 2000 to a day ahead.
pub fn plausible(time: Timestamp, now: Timestamp) -> bool {
    (EARLIEST..=now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX)).contains(&time)
}

/// Reads a time in the forms that senders use. Returns `None` if it is not a time, or outside the years 0 to
/// 9999.
///
/// A number, or a text of digits, counts seconds, milliseconds, microseconds or nanoseconds since 1970; its
/// size decides which. A text is ISO 8601 in its many spellings, RFC 2822, or a format of JavaScript, C, Go,
/// Ruby or .NET. Without an offset it is UTC. A date alone is its midnight.
pub fn parse(value: &Value) -> Option<Timestamp> {
    let time = match value {
        Value::Number(number) => read::number(&number.to_string()),
        Value::String(text) => read::text(text.trim()),
        _ => None,
    }?;
    from_epoch_milliseconds(time.as_millisecond())
}

/// Whether a time is ISO 8601 without an offset. It is read as UTC, but may be local.
pub fn is_local(value: &Value) -> bool {
    let text = value.as_str().map(str::trim).unwrap_or_default();
    text.parse::<civil::DateTime>().is_ok() && text.parse::<Timestamp>().is_err()
}

#[cfg(test)]
mod tests;
