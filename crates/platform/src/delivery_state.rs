//! The state of a delivery, kept in the attributes of a queued message: the number of failed attempts, the
//! time of the first one, and the time of the next. In the dead-letter queue it holds the reason of the
//! failure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use segment::timestamp;
use serde_json::Value;

use crate::{
    queue::{MAX_DELAY, Received, TargetQueue},
    topic::Attributes,
};

/// The number of failed attempts so far.
pub const ATTEMPTS: &str = "attempts";

/// The start of the delivery. The queue's own count starts again each time that the message is put back.
pub const SINCE: &str = "since";

/// The time at which the message first entered its queue, if that is not [`SINCE`].
pub const ENTERED: &str = "enteredAt";

/// The time of the next attempt, if it is further away than a queue can delay.
pub const DUE: &str = "due";

/// In the dead-letter queue: a short name of the failure.
pub const FAILURE: &str = "failure";
/// In the dead-letter queue: a sentence that explains the failure.
pub const REASON: &str = "reason";
/// In the dead-letter queue: the HTTP status of the last attempt, if there was one.
pub const STATUS: &str = "status";
/// In the dead-letter queue: the time at which the message came there.
pub const FAILED_AT: &str = "failedAt";

/// The longest wait of a message. A webhook can ask for a wait up to the end of its retry window, which is
/// twelve hours at most.
pub const LONGEST_WAIT: Duration = Duration::from_secs(12 * 60 * 60);

/// The largest difference between the clocks of two machines.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Removes attributes that no longer apply to a message received at `now`. A redriven message starts afresh,
/// without the state that it had in the dead-letter queue. Times in the future, other than [`DUE`], come from
/// a clock that was ahead; they would make the message wait, or be retried, for as long as that clock was
/// ahead.
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

/// Returns the number of failed attempts so far.
pub fn attempts(attributes: &Attributes) -> u32 {
    attributes.get(ATTEMPTS).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Counts one more attempt and returns the new number.
pub fn count_attempt(attributes: &mut Attributes) -> u32 {
    let attempts = attempts(attributes).saturating_add(1);
    attributes.insert(ATTEMPTS.to_owned(), attempts.to_string());
    attempts
}

/// Returns the time at which a message first entered its queue. For the queue, a message that was put back is new.
pub fn entered(received: &Received) -> Timestamp {
    let known = [ENTERED, SINCE].iter().filter_map(|name| time(&received.attributes, name));
    known.min().unwrap_or(received.sent_at)
}

/// Returns the time from `then` to `now`. It is zero if the clocks of a queue and a function differ a little.
pub fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// Puts a message back for `delay`. A queue delays no longer than [`MAX_DELAY`]; for a longer delay the
/// message itself says when it is due.
pub fn postpone(attributes: &mut Attributes, delay: Duration, now: Timestamp) -> TargetQueue {
    match now.checked_add(delay) {
        Ok(due) if delay > MAX_DELAY => attributes.insert(DUE.to_owned(), timestamp::format(due)),
        _ => attributes.remove(DUE),
    };
    TargetQueue::Source(delay.min(MAX_DELAY))
}

/// Returns the time at which the message is due, if its queue could not delay it for long enough.
pub fn due(attributes: &Attributes) -> Option<Timestamp> {
    time(attributes, DUE)
}

/// Returns how long the message still has to wait, if its queue could not delay it for long enough.
pub fn not_yet_due(attributes: &Attributes, now: Timestamp) -> Option<Duration> {
    Duration::try_from(due(attributes)?.duration_since(now)).ok().filter(|wait| !wait.is_zero())
}

/// Writes the reason for the dead-letter queue into the attributes.
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

/// Returns the time under `name` ([`SINCE`] or [`ENTERED`]). If there is none, stores and returns
/// `otherwise`.
pub fn time_or_insert(attributes: &mut Attributes, name: &str, otherwise: Timestamp) -> Timestamp {
    if let Some(first) = time(attributes, name) {
        return first;
    }
    attributes.insert(name.to_owned(), timestamp::format(otherwise));
    otherwise
}

/// Returns the time under `name`, if the message has one.
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
    fn a_wait_longer_than_a_queues_longest_delay_is_kept_in_the_message() {
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
    fn a_redriven_message_forgets_its_state_and_keeps_the_rest() {
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
