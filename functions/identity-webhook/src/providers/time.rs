//! Times in a profile.

use jiff::Timestamp;
use segment::timestamp;
use serde_json::{Map, Value};

/// The time at `name`, unless it cannot be true at `now`.
pub(super) fn time(object: &Map<String, Value>, name: &str, now: Timestamp) -> Option<Timestamp> {
    timestamp::parse(object.get(name)?).filter(|time| timestamp::plausible(*time, now))
}

/// Puts the time at `name` into a profile as `createdAt`.
pub(super) fn insert_created_at(
    from: &Map<String, Value>,
    name: &str,
    profile: &mut Map<String, Value>,
    now: Timestamp,
) {
    if let Some(time) = time(from, name, now) {
        profile.insert("createdAt".to_owned(), timestamp::format(time).into());
    }
}
