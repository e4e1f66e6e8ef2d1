//! The time of an event. A time that cannot be read or is implausible is replaced by the time of receipt, and
//! only here: Segment files a message under its time, and nobody ever sees a message of 1970 or of next year.

use jiff::Timestamp;
use segment::timestamp::{self, TimeFault};
use serde_json::{Map, Value};

/// The time of an event, as its provider sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The event has none.
    Missing,
    /// The event has a value that is not a time.
    Unreadable,
    /// The event has this time.
    At(Timestamp),
}

impl Time {
    /// Reads a member. Null and a blank text count as missing.
    pub(crate) fn read(value: Option<&Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Missing,
            Some(Value::String(text)) if text.trim().is_empty() => Self::Missing,
            Some(value) => timestamp::parse(value).map_or(Self::Unreadable, Self::At),
        }
    }

    /// Returns why the time is not believed at `now`.
    pub(crate) fn fault(self, now: Timestamp) -> Option<TimeFault> {
        match self {
            Self::At(time) if !timestamp::plausible(time, now) => Some(TimeFault::Implausible),
            Self::Unreadable => Some(TimeFault::Unreadable),
            Self::At(_) | Self::Missing => None,
        }
    }

    /// Sets the time of a message that was received at `now`. A message may wait in a queue for days, so a
    /// message without a time gets the time of receipt.
    pub(crate) fn stamp(self, message: &mut Map<String, Value>, now: Timestamp) {
        let fault = self.fault(now);
        let believed = match self {
            Self::At(time) if fault.is_none() => time,
            _ => now,
        };
        message.insert("timestamp".to_owned(), timestamp::format(believed).into());
        if let (Self::At(original), Some(_)) = (self, fault) {
            message.insert("originalTimestamp".to_owned(), timestamp::format(original).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_implausible_time_is_replaced_by_the_time_of_receipt() {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        let receipt = json!({"timestamp": "2026-11-21T08:00:00.000Z"});
        let implausible =
            |original: &str| json!({"timestamp": "2026-11-21T08:00:00.000Z", "originalTimestamp": original});
        for (value, expected, fault) in [
            (json!(1_763_712_181_000_i64), json!({"timestamp": "2025-11-21T08:03:01.000Z"}), None),
            (json!(1_763_712_181), json!({"timestamp": "2025-11-21T08:03:01.000Z"}), None),
            (json!("2025-11-21T08:03:01Z"), json!({"timestamp": "2025-11-21T08:03:01.000Z"}), None),
            (json!("2026-11-22T07:59:59Z"), json!({"timestamp": "2026-11-22T07:59:59.000Z"}), None),
            (
                json!("2026-11-22T08:00:01Z"),
                implausible("2026-11-22T08:00:01.000Z"),
                Some(TimeFault::Implausible),
            ),
            (
                json!("1999-12-31T23:59:59Z"),
                implausible("1999-12-31T23:59:59.000Z"),
                Some(TimeFault::Implausible),
            ),
            (json!(0), implausible("1970-01-01T00:00:00.000Z"), Some(TimeFault::Implausible)),
            (json!("soon"), receipt.clone(), Some(TimeFault::Unreadable)),
            (json!(true), receipt.clone(), Some(TimeFault::Unreadable)),
            (json!([]), receipt.clone(), Some(TimeFault::Unreadable)),
            (json!(null), receipt.clone(), None),
            (json!(" "), receipt, None),
        ] {
            let (mut message, time) = (Map::new(), Time::read(Some(&value)));
            time.stamp(&mut message, now);
            assert_eq!((Value::Object(message), time.fault(now)), (expected, fault), "{value}");
        }
        assert_eq!(Time::read(None), Time::Missing);
    }
}
