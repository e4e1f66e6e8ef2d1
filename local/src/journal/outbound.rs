//! Records delivery attempts, and the place of a message after them.

use delivery::Report;
use jiff::Timestamp;
use platform::{
    delivery_state::{self, ATTEMPTS, FAILURE, REASON},
    queue::{Entry, TargetQueue},
    sqlite::DeadLetter,
    topic::Attributes,
};
use webhook_delivery::WEBHOOK;

use super::{Attempt, DELETION, Delivery, Journal, RecordedFailure, SEGMENT, State, message_ids};

impl Journal {
    /// Records an attempt.
    pub fn attempted(&self, attempt: &Report) {
        let destination = match &*attempt.destination {
            segment_delivery::DESTINATION => SEGMENT,
            regulation_delivery::DESTINATION => DELETION,
            webhook => webhook,
        };
        let milliseconds = u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX);
        let now = self.0.clock.now();
        for message in &attempt.messages {
            // Locked for one message at a time: requests wait for this lock.
            let mut inner = self.write();
            let id = inner.items.id_of_message(&message.message_id);
            let since = id.and_then(|id| {
                inner.items.change(id, |item| {
                    let delivery = item.delivery(destination);
                    delivery.request = attempt.request.clone().or(delivery.request.take());
                    let failure = message.failure.clone().map(RecordedFailure::from);
                    delivery.attempted(Attempt {
                        at: attempt.began,
                        milliseconds,
                        status: message.status,
                        failure,
                    });
                    item.at
                })
            });
            match &message.failure {
                Some(failure) => inner.numbers.failed(now, failure.code),
                None => inner
                    .numbers
                    .delivered(now, since.and_then(|since| now.duration_since(since).try_into().ok())),
            }
        }
    }

    /// Records entries that the queue takes back, to wait or as dead letters.
    pub fn moved(&self, kind: QueueKind, entries: &[Entry]) {
        let now = self.0.clock.now();
        for entry in entries {
            self.change_each(&message_ids(&entry.body), |item| {
                let deliveries = item.deliveries.iter_mut();
                for delivery in deliveries.filter(|delivery| kind.leads_to(delivery, &entry.attributes)) {
                    delivery.moved(entry, now);
                }
            });
        }
    }

    /// Records messages that left a dead-letter queue: `purged`, or else back into their queue.
    pub fn left_dead_letters(&self, kind: QueueKind, letters: &[DeadLetter], purged: bool) {
        for DeadLetter { body, attributes, .. } in letters {
            self.change_each(&message_ids(body), |item| {
                let dead = item.deliveries.iter_mut().filter(|delivery| delivery.state == State::DeadLetter);
                for delivery in dead.filter(|delivery| kind.leads_to(delivery, attributes)) {
                    match &mut delivery.failure {
                        Some(why) if purged => why.reason = format!("purged; before that: {}", why.reason),
                        _ => delivery.queued(),
                    }
                }
            });
        }
    }
}

impl Delivery {
    /// Records that the queue took it back, to wait or as a dead letter.
    pub fn moved(&mut self, entry: &Entry, now: Timestamp) {
        let text = |name: &str| entry.attributes.get(name).cloned();
        self.attempts = text(ATTEMPTS).and_then(|text| text.parse().ok()).unwrap_or(0);
        match entry.target {
            TargetQueue::Source(delay) => {
                self.due = delivery_state::due(&entry.attributes).or(now.checked_add(delay).ok());
                self.state = State::Retrying;
                if self.attempts == 0 {
                    let (code, reason) =
                        ("held", "no attempt yet: deliveries are paused, as the destination kept failing");
                    self.failure = Some(RecordedFailure { code: code.to_owned(), reason: reason.to_owned() });
                }
            }
            TargetQueue::DeadLetter => {
                let why = text(FAILURE).zip(text(REASON));
                self.failure = why.map(|(code, reason)| RecordedFailure { code, reason });
                (self.state, self.due) = (State::DeadLetter, None);
            }
        }
    }
}

/// A queue, by its destinations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// To Segment.
    Segment,
    /// To the webhooks.
    Webhooks,
    /// To Segment's Public API.
    Deletion,
}

impl QueueKind {
    /// Returns whether a queued message with these attributes belongs to this delivery.
    fn leads_to(self, delivery: &Delivery, attributes: &Attributes) -> bool {
        let destination = &*delivery.destination;
        match (self, attributes.get(WEBHOOK)) {
            (Self::Segment, _) => destination == SEGMENT,
            (Self::Deletion, _) => destination == DELETION,
            (Self::Webhooks, Some(webhook)) => destination == webhook,
            // Before the first attempt it is for every webhook that has not accepted it.
            (Self::Webhooks, None) => {
                ![SEGMENT, DELETION].contains(&destination) && delivery.state != State::Delivered
            }
        }
    }
}
