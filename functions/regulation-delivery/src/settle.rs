//! How each message ends: the one place that puts back, dead-letters, counts and logs.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use platform::{
    history::{self, CREDENTIAL_ATTEMPTS, RETENTION},
    queue::{Place, Queue, Received, Replacement},
    quota::Quota,
    telemetry::{Event, record},
};
use segment::{Failure, Outcome, retry};

use crate::Handler;

/// What became of a message in this batch.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// An attempt was made.
    Tried(Outcome),
    /// None was made, because Segment is not to be called for this long.
    Held(Duration),
    /// None was made, because the month's quota is used up. It is asked for again after this long.
    OutOfQuota(Duration),
}

impl<Q: Queue, C: Quota + 'static> Handler<Q, C> {
    /// Settles every message and returns the ids of those that the queue did not take.
    pub(crate) async fn settle(&self, endings: Vec<(Received, Ending)>) -> Vec<String> {
        let now = self.clock.now();
        let mut delivered = 0;
        let mut retried: BTreeMap<&str, usize> = BTreeMap::new();
        let mut replacements = Vec::new();
        for (mut message, ending) in endings {
            history::forget_redrive(&mut message.attributes);
            let place = match ending {
                Ending::Tried(Outcome::Delivered) => {
                    delivered += 1;
                    continue;
                }
                Ending::Tried(Outcome::Rejected(failure @ (Failure::Token(_) | Failure::NoToken)))
                    if history::attempts(&message.attributes) < CREDENTIAL_ATTEMPTS =>
                {
                    *retried.entry(failure.code()).or_default() += 1;
                    let attempts = history::count_attempt(&mut message.attributes);
                    put_back(&mut message, retry::wait(attempts, None, 1.0), now)
                }
                Ending::Tried(Outcome::Rejected(failure)) => {
                    history::count_attempt(&mut message.attributes);
                    dead_letter(&mut message, &failure, now)
                }
                Ending::Tried(Outcome::Retry { failure, after }) => {
                    let attempts = history::count_attempt(&mut message.attributes);
                    let wait = retry::wait(attempts, after, (self.random)());
                    put_back_in_time(&mut message, failure, wait, now, &mut retried)
                }
                Ending::OutOfQuota(wait) => {
                    put_back_in_time(&mut message, Failure::QuotaUsedUp, wait, now, &mut retried)
                }
                Ending::Held(wait) => put_back(&mut message, wait.min(retry::MAX_WAIT), now),
            };
            replacements.push(Replacement::of_one(message, place));
        }
        record(Event::Delivered, "regulation", delivered);
        // One line for each reason, not for each message: in an outage there are many.
        retried.into_iter().for_each(|(reason, count)| record(Event::Retried, reason, count));
        let ids: Vec<String> = replacements.iter().flat_map(|one| one.received.clone()).collect();
        let results = match replacements.is_empty() {
            true => Vec::new(),
            false => self.queue.replace(replacements).await,
        };
        let failed = ids.into_iter().zip(results).filter(|(_, result)| result.is_err());
        failed.map(|(id, _)| id).collect()
    }
}

/// Puts back a message that failed for now, or gives it up when the queue would drop it soon.
fn put_back_in_time(
    message: &mut Received,
    failure: Failure,
    wait: Duration,
    now: Timestamp,
    retried: &mut BTreeMap<&str, usize>,
) -> Place {
    let sent_at = message.sent_at;
    if now.duration_since(history::since(&mut message.attributes, sent_at)) >= RETENTION {
        return dead_letter(message, &Failure::Expired(Box::new(failure)), now);
    }
    *retried.entry(failure.code()).or_default() += 1;
    put_back(message, wait, now)
}

fn put_back(message: &mut Received, delay: Duration, now: Timestamp) -> Place {
    // Kept from here on: as a new message in the queue it would otherwise begin to wait anew.
    history::since(&mut message.attributes, message.sent_at);
    history::wait(&mut message.attributes, delay, now)
}

fn dead_letter(message: &mut Received, failure: &Failure, now: Timestamp) -> Place {
    let message_id = segment::Message::from_json(message.body.as_bytes()).ok();
    let message_id = message_id.as_ref().and_then(segment::Message::message_id).unwrap_or_default();
    record(Event::DeadLettered, failure.code(), 1);
    tracing::warn!(message_id, queue_id = message.id, reason = %failure, "A message went to the dead-letter queue.");
    history::dead(&mut message.attributes, failure.code(), failure.to_string(), failure.status(), now);
    Place::DeadLetter
}
