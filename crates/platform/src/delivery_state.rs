//! The state of a delivery, in the attributes of a queued message: how many attempts failed, since when, when the next is
//! due; and in the dead-letter queue, why there is none.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use segment::timestamp;
use serde_json::Value;

use crate::{
    queue::{MAX_DELAY, TargetQueue},
    topic::Attributes,
};

/// How many attempts failed so far.
pub const ATTEMPTS: &str = "attempts";

/// Since when the message is being delivered: putting it back starts the queue's own count anew.
pub const SINCE: &str = "since";

/// When the message entered its queue first, where that is not [`SINCE`].
pub const ENTERED: &str = "enteredAt";

/// Not before when the next attempt is due, where that is further away than a queue can delay.
pub const DUE: &str = "due";

/// In the dead-letter queue: a short name of what went wrong.
pub const FAILURE: &str = "failure";
/// In the dead-letter queue: a sentence.
pub const REASON: &str = "reason";
/// In the dead-letter queue: the HTTP status of the last attempt, where there was one.
pub const STATUS: &str = "status";
/// In the dead-letter queue: when the message came there.
pub const FAILED_AT: &str = "failedAt";

/// No message waits for longer at once: a webhook's own wish is kept up to the end of its window, which is twelve hours at
/// most.
pub const LONGEST_WAIT: Duration = Duration::from_secs(12 * 60 * 60);

/// How far clocks of two machines may be apart.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Forgets what does not hold any more of a message that was received at this time. A redrive brings along what the
/// message carried in the dead-letter queue: it starts afresh. Times that are still to come, other than when it is due,
/// are of a clock that was wrong: by them it would wait, or be tried again, for as long as that clock was ahead.
pub fn clear_stale(attributes: &mut Attributes, now: Timestamp) {
    let forgotten: &[&str] = if attributes.contains_key(FAILURE) {
        &[FAILURE, REASON, STATUS, FAILED_AT, ATTEMPTS, SINCE, ENTERED, DUE]
    } else if [SINCE, ENTERED]
        .iter()
        .any(|name| time(attributes, name).is_some_and(|at| at > now + MAX_CLOCK_SKEW))
    {
        &[SINCE, ENTERED, DUE]
    } else if not_yet_due(attributes, now).is_some_and(|wait| wait > LONGEST_WAIT) {
        &[DUE]
    } else {
        return;
    };
    for name in forgotten {
        attributes.remove(*name);
    }
}

/// How many attempts failed so far.
pub fn attempts(attributes: &Attributes) -> u32 {
    attributes.get(ATTEMPTS).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Counts one more and returns how many they are.
pub fn count_attempt(attributes: &mut Attributes) -> u32 {
    let attempts = attempts(attributes).saturating_add(1);
    attributes.insert(ATTEMPTS.to_owned(), attempts.to_string());
    attempts
}

/// How long it is from `then` to `now`. The clocks of a queue and a function differ a little, so it may be nothing.
pub fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// Where a message goes that shall wait: no queue delays for longer than [`MAX_DELAY`], so the message itself
/// says when it is due.
pub fn postpone(attributes: &mut Attributes, delay: Duration, now: Timestamp) -> TargetQueue {
    match now.checked_add(delay) {
        Ok(due) if delay > MAX_DELAY => attributes.insert(DUE.to_owned(), timestamp::format(due)),
        _ => attributes.remove(DUE),
    };
    TargetQueue::Source(delay.min(MAX_DELAY))
}

/// When the message is due, when its queue could not delay it for long enough.
pub fn due(attributes: &Attributes) -> Option<Timestamp> {
    time(attributes, DUE)
}

/// How long the message still has to wait, when its queue could not delay it for long enough.
pub fn not_yet_due(attributes: &Attributes, now: Timestamp) -> Option<Duration> {
    Duration::try_from(due(attributes)?.duration_since(now)).ok().filter(|wait| !wait.is_zero())
}

/// Says why the message is in the dead-letter queue.
pub fn mark_dead_lettered(
    attributes: &mut Attributes,
    failure: &str,
    reason: String,
    status: Option<u16>,
    now: Timestamp,
) {
    attributes.remove(DUE);
    attributes.remove(ENTERED);
    let mut set = |name: &str, value: String| attributes.insert(name.to_owned(), value);
    set(FAILURE, failure.to_owned());
    set(REASON, reason);
    set(FAILED_AT, timestamp::format(now));
    if let Some(status) = status {
        set(STATUS, status.to_string());
    }
}

/// The time of that name, [`SINCE`] or [`ENTERED`]; from now on it is `otherwise` when it was not said yet.
pub fn time_or_insert(attributes: &mut Attributes, name: &str, otherwise: Timestamp) -> Timestamp {
    if let Some(first) = time(attributes, name) {
        return first;
    }
    attributes.insert(name.to_owned(), timestamp::format(otherwise));
    otherwise
}

/// The time of that name, where the message says one.
pub fn time(attributes: &Attributes, name: &str) -> Option<Timestamp> {
    timestamp::parse(&Value::String(attributes.get(name)?.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T04:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_wait_beyond_what_a_queue_can_delay_is_kept_in_the_message() {
        let mut attributes = Attributes::new();
        assert_eq!(postpone(&mut attributes, MAX_DELAY, now()), TargetQueue::Source(MAX_DELAY));
        assert_eq!(attributes, Attributes::new());
        assert_eq!(
            postpone(&mut attributes, Duration::from_secs(3_600), now()),
            TargetQueue::Source(MAX_DELAY)
        );
        assert_eq!(attributes[DUE], "2026-11-21T05:00:00.000Z");
        let later = now() + MAX_DELAY;
        assert_eq!(not_yet_due(&attributes, later), Some(Duration::from_secs(2_700)));
        assert_eq!(not_yet_due(&attributes, now() + Duration::from_secs(3_600)), None);
        postpone(&mut attributes, Duration::ZERO, now());
        assert_eq!(not_yet_due(&attributes, now()), None);
    }

    #[test]
    fn the_first_time_is_kept_and_attempts_are_counted() {
        let mut attributes = Attributes::new();
        assert_eq!(time_or_insert(&mut attributes, SINCE, now()), now());
        assert_eq!(time_or_insert(&mut attributes, SINCE, now() + Duration::from_secs(1)), now());
        assert_eq!(time_or_insert(&mut attributes, ENTERED, now()), now());
        assert_eq!(time_or_insert(&mut attributes, ENTERED, now() + Duration::from_secs(1)), now());
        assert_eq!((count_attempt(&mut attributes), count_attempt(&mut attributes)), (1, 2));
        assert_eq!(attempts(&attributes), 2);
    }

    #[test]
    fn what_a_redrive_brings_along_is_forgotten_and_the_rest_kept() {
        let mut attributes = Attributes::from([("writeKey".to_owned(), "shop".to_owned())]);
        let kept = attributes.clone();
        time_or_insert(&mut attributes, SINCE, now());
        time_or_insert(&mut attributes, ENTERED, now());
        count_attempt(&mut attributes);
        let waiting = attributes.clone();
        clear_stale(&mut attributes, now());
        assert_eq!(attributes, waiting, "it was not in the dead-letter queue");
        mark_dead_lettered(&mut attributes, "timeout", "It took too long.".to_owned(), Some(504), now());
        assert_eq!(attributes[FAILED_AT], "2026-11-21T04:00:00.000Z");
        assert_eq!(attributes[STATUS], "504");
        assert!(!attributes.contains_key(ENTERED), "SQS takes ten attributes");
        clear_stale(&mut attributes, now());
        assert_eq!(attributes, kept);
    }

    #[test]
    fn a_message_forgets_the_times_of_a_clock_that_was_ahead() {
        let hours = |count: i64| now() + SignedDuration::from_hours(count);
        for (since, due, forgotten) in [(0, 2, false), (-1, 11, false), (1, 2, true), (0, 13, true)] {
            let mut attributes = Attributes::from([(ATTEMPTS.to_owned(), "2".to_owned())]);
            time_or_insert(&mut attributes, SINCE, hours(since));
            attributes.insert(DUE.to_owned(), timestamp::format(hours(due)));
            clear_stale(&mut attributes, now());
            assert_eq!(!attributes.contains_key(DUE), forgotten, "{since} {due}");
            assert_eq!(attributes.contains_key(SINCE), since <= 0, "{since} {due}");
            assert_eq!(attempts(&attributes), 2);
        }
    }
}
