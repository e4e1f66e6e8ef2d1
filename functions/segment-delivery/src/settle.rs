//! How each message ends: the one place that puts back, dead-letters, counts and logs.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use platform::{
    queue::{PutBack, Queue, Received},
    telemetry::{Event, record},
};
use segment::{Failure, Outcome, retry, timestamp};

use crate::Handler;

/// How many attempts failed so far.
const ATTEMPTS: &str = "attempts";

/// When the message first came into the queue, in epoch milliseconds: putting it back starts SQS's own count anew.
const SINCE: &str = "since";

/// What a message carries in the dead-letter queue. A redrive brings these along; they mean nothing then.
const FAILURE: &str = "failure";
const REASON: &str = "reason";
const STATUS: &str = "status";
const FAILED_AT: &str = "failedAt";

/// A queue keeps a message for 14 days and then drops it in silence. What is still not delivered a day
/// before that goes to the dead-letter queue instead.
const RETENTION: SignedDuration = SignedDuration::from_hours(13 * 24);

/// How many attempts with a write key that Segment does not know, about four minutes in all: somebody may be
/// changing it right now, in Segment first and in the secret after that.
const KEY_ATTEMPTS: u32 = 8;

/// What became of a message in this batch.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// An attempt was made.
    Tried(Outcome),
    /// None was made, because Segment is not to be called for this long.
    Held(Duration),
}

impl<Q: Queue> Handler<Q> {
    /// Settles every message and returns the ids of those that the queue did not take.
    pub(crate) async fn settle(&self, endings: Vec<(Received, Ending)>) -> Vec<String> {
        let now = self.clock.now();
        let mut delivered = 0;
        let mut retried: BTreeMap<&str, usize> = BTreeMap::new();
        let mut back = Vec::new();
        let mut dead = Vec::new();
        for (mut message, ending) in endings {
            forget_redrive(&mut message);
            match ending {
                Ending::Tried(Outcome::Delivered) => delivered += 1,
                Ending::Tried(Outcome::Rejected(failure @ (Failure::WriteKey | Failure::NoWriteKey)))
                    if attempts(&message) < KEY_ATTEMPTS =>
                {
                    *retried.entry(failure.code()).or_default() += 1;
                    let attempts = count_attempt(&mut message);
                    back.push(put_back(message, retry::wait(attempts, None, 1.0)));
                }
                Ending::Tried(Outcome::Rejected(failure)) => {
                    count_attempt(&mut message);
                    dead.push(dead_letter(message, &failure, now));
                }
                Ending::Tried(Outcome::Retry { failure, after }) => {
                    let attempts = count_attempt(&mut message);
                    if now.duration_since(first_seen(&message)) >= RETENTION {
                        dead.push(dead_letter(message, &Failure::Expired(Box::new(failure)), now));
                    } else {
                        *retried.entry(failure.code()).or_default() += 1;
                        let delay = retry::wait(attempts, after, (self.random)());
                        back.push(put_back(message, delay));
                    }
                }
                Ending::Held(wait) => back.push(put_back(message, wait.min(retry::MAX_WAIT))),
            }
        }
        record(Event::Delivered, "segment", delivered);
        // One line for each reason, not for each message: in an outage there are many.
        retried.into_iter().for_each(|(reason, count)| record(Event::Retried, reason, count));
        let mut ids: Vec<String> = back.iter().map(|back| back.message.id.clone()).collect();
        ids.extend(dead.iter().map(|message| message.id.clone()));
        let mut results = Vec::new();
        if !back.is_empty() {
            results.extend(self.queue.put_back(back).await);
        }
        if !dead.is_empty() {
            results.extend(self.queue.dead_letter(dead).await);
        }
        let failed = ids.into_iter().zip(results).filter(|(_, result)| result.is_err());
        failed.map(|(id, _)| id).collect()
    }
}

/// A message that comes back from the dead-letter queue starts afresh.
fn forget_redrive(message: &mut Received) {
    if message.attributes.contains_key(FAILURE) {
        for name in [FAILURE, REASON, STATUS, FAILED_AT, ATTEMPTS, SINCE] {
            message.attributes.remove(name);
        }
    }
}

fn count_attempt(message: &mut Received) -> u32 {
    let attempts = attempts(message).saturating_add(1);
    message.attributes.insert(ATTEMPTS.to_owned(), attempts.to_string());
    attempts
}

fn attempts(message: &Received) -> u32 {
    message.attributes.get(ATTEMPTS).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn first_seen(message: &Received) -> Timestamp {
    let since = message.attributes.get(SINCE).and_then(|text| text.parse().ok());
    since.and_then(timestamp::from_epoch_milliseconds).unwrap_or(message.sent_at)
}

fn put_back(mut message: Received, delay: Duration) -> PutBack {
    let since = first_seen(&message).as_millisecond().to_string();
    message.attributes.insert(SINCE.to_owned(), since);
    PutBack { message, delay }
}

fn dead_letter(mut message: Received, failure: &Failure, now: Timestamp) -> Received {
    let message_id = segment::Message::from_json(message.body.as_bytes()).ok();
    let message_id = message_id.as_ref().and_then(segment::Message::message_id).unwrap_or_default();
    record(Event::DeadLettered, failure.code(), 1);
    tracing::warn!(message_id, queue_id = message.id, reason = %failure, "A message went to the dead-letter queue.");
    let mut set = |name: &str, value: String| message.attributes.insert(name.to_owned(), value);
    set(FAILURE, failure.code().to_owned());
    set(REASON, failure.to_string());
    set(FAILED_AT, timestamp::format(now));
    if let Some(status) = failure.status() {
        set(STATUS, status.to_string());
    }
    message
}
