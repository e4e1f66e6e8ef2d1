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

use super::{
    Attempt, DELETION, Delivery, Event, Journal, RecordedFailure, SEGMENT, State, WAREHOUSE,
    inbox::Attempted, message_ids, request::recorded, retained::RetainedItems,
};

/// The attributes of an entry that the page shows.
pub struct Moved {
    message_ids: Vec<String>,
    attributes: Attributes,
    target: TargetQueue,
}

impl Journal {
    /// Records an attempt.
    pub fn attempted(&self, attempt: Report) {
        let Report { destination, began, took, request, messages } = attempt;
        let destination = match &*destination {
            segment_delivery::DESTINATION => SEGMENT.to_owned(),
            warehouse_delivery::DESTINATION => WAREHOUSE.to_owned(),
            regulation_delivery::DESTINATION => DELETION.to_owned(),
            _ => destination,
        };
        let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let request = request.map(|request| recorded(&request, &self.0.texts));
        let ended = self.now();
        self.record(Event::Attempted(Attempted {
            destination,
            began,
            ended,
            milliseconds,
            request,
            messages,
        }));
    }

    /// Records entries that the queue takes back, to wait or as dead letters.
    pub fn moved(&self, kind: QueueKind, entries: &[Entry]) {
        let moved = |entry: &Entry| Moved {
            message_ids: message_ids(&entry.body),
            attributes: entry.attributes.clone(),
            target: entry.target,
        };
        let entries = entries.iter().map(moved).collect();
        self.record(Event::Moved { at: self.now(), kind, entries });
    }

    /// Records messages that left a dead-letter queue: `purged`, or else back into their queue.
    pub fn left_dead_letters(&self, kind: QueueKind, letters: &[DeadLetter], purged: bool) {
        let mut items = self.items();
        for DeadLetter { body, attributes, .. } in letters {
            items.change_each(&message_ids(body), |item| {
                let dead = item.deliveries.iter_mut().filter(|delivery| delivery.state == State::DeadLetter);
                for delivery in dead.filter(|delivery| kind.leads_to(delivery, attributes)) {
                    match &mut delivery.failure {
                        Some(why) if purged => why.reason = format!("purged; before that: {}", why.reason),
                        _ => delivery.queued(),
                    }
                }
            });
        }
        drop(items);
        self.notify();
    }
}

impl Attempted {
    /// Adds the attempt to the items of its messages.
    pub fn apply(self, items: &mut RetainedItems) {
        for message in self.messages {
            let Some(id) = items.id_of_message(&message.message_id) else { continue };
            items.change(id, |item| {
                let delivery = item.delivery(&self.destination);
                delivery.request = self.request.clone().or(delivery.request.take());
                delivery.attempted(Attempt {
                    at: self.began,
                    milliseconds: self.milliseconds,
                    status: message.status,
                    failure: message.failure.map(RecordedFailure::from),
                    note: message.note,
                });
            });
        }
    }
}

impl Moved {
    /// Moves the messages of the entry.
    pub fn apply(&self, items: &mut RetainedItems, kind: QueueKind, at: Timestamp) {
        items.change_each(&self.message_ids, |item| {
            let deliveries = item.deliveries.iter_mut();
            for delivery in deliveries.filter(|delivery| kind.leads_to(delivery, &self.attributes)) {
                delivery.moved(&self.attributes, self.target, at);
            }
        });
    }
}

impl Delivery {
    /// Records that the queue took it back, to wait or as a dead letter.
    pub fn moved(&mut self, attributes: &Attributes, target: TargetQueue, now: Timestamp) {
        let text = |name: &str| attributes.get(name).cloned();
        self.attempts = text(ATTEMPTS).and_then(|text| text.parse().ok()).unwrap_or(0);
        match target {
            TargetQueue::Source(delay) => {
                self.due = delivery_state::due(attributes).or(now.checked_add(delay).ok());
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
    /// To PostgreSQL.
    Warehouse,
    /// To Segment's Public API.
    Deletion,
}

impl QueueKind {
    /// Returns whether a queued message with these attributes belongs to this delivery.
    fn leads_to(self, delivery: &Delivery, attributes: &Attributes) -> bool {
        let destination = &*delivery.destination;
        match (self, attributes.get(WEBHOOK)) {
            (Self::Segment, _) => destination == SEGMENT,
            (Self::Warehouse, _) => destination == WAREHOUSE,
            (Self::Deletion, _) => destination == DELETION,
            (Self::Webhooks, Some(webhook)) => destination == webhook,
            // Before the first attempt it is for every webhook that has not accepted it.
            (Self::Webhooks, None) => {
                ![SEGMENT, WAREHOUSE, DELETION].contains(&destination) && delivery.state != State::Delivered
            }
        }
    }
}
