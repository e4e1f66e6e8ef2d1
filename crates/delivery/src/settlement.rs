//! Applies the outcomes of a batch. Only this module puts messages back, dead-letters, counts and logs them.

use std::{iter, mem, slice, sync::Arc, time::Duration};

use jiff::Timestamp;
use platform::{
    backoff::backoff,
    clock::SharedClock,
    delivery_state::{self, SINCE},
    queue::{Entry, Queue, Received, Replacement, TargetQueue},
    tally::Tally,
    topic::Attributes,
};

use crate::{
    Attempt, Destination, Failure, Group, Item, Outcome, Outcomes, Retries, Window,
    retries::CREDENTIAL_ATTEMPTS,
};

/// The outcomes of a batch, to be applied together.
pub(crate) struct Settlement {
    /// The steady time, for ages.
    now: Timestamp,
    /// The time of day, for people.
    today: Timestamp,
    /// The time at which the batch arrived.
    began: Timestamp,
    retries: Retries,
    /// The random part of all waits. Messages that failed together come back together: they are neighbors in the queue,
    /// and most of them fit into one request.
    random: f64,
    tally: Tally,
    /// The number of messages in the batch.
    size: usize,
    /// Entries, each with the messages that it replaces.
    entries: Vec<(Replaced, Entry)>,
}

/// Received messages: their indexes in the batch, and their ids.
type Replaced = Vec<(usize, String)>;

/// Messages with one outcome.
struct Settled<'a, D: Destination> {
    items: &'a [Arc<Item<D::Message>>],
    /// The group of the attempt, and the destination's name in it.
    attempt: Option<(&'a Group<D>, &'a str)>,
}

/// A message that stays, in its queue or in the dead-letter queue.
struct Remaining {
    replaces: Replaced,
    message_id: String,
    /// The destination, if there was an attempt.
    destination: Option<String>,
    body: String,
    attributes: Attributes,
    /// The time at which it first entered its queue.
    entered: Timestamp,
}

impl Settlement {
    pub(crate) fn new(clock: &SharedClock, began: Timestamp, size: usize, retries: Retries) -> Self {
        let (now, today) = (clock.steady(), clock.now());
        let (random, tally) = (fastrand::f64(), Tally::default());
        Self { now, today, began, retries, random, tally, size, entries: Vec::new() }
    }

    /// Puts back a message that is not due for this long.
    pub(crate) fn not_due(&mut self, index: usize, received: Received, wait: Duration) {
        let remaining = self.remaining(index, received, String::new());
        self.put_back(remaining, wait);
    }

    /// Dead-letters a message that cannot be read.
    pub(crate) fn unreadable(&mut self, index: usize, received: Received, failure: &Failure) {
        // The destination cannot read it, but it may still be a valid message with an id.
        let message = segment::Message::from_json(received.body.as_bytes()).ok();
        let message_id = message.as_ref().and_then(segment::Message::message_id).unwrap_or_default();
        let remaining = self.remaining(index, received, message_id.to_owned());
        self.dead_letter(remaining, failure);
    }

    /// Settles a message that needed no attempt.
    pub(crate) fn unattempted<D: Destination>(&mut self, item: &Arc<Item<D::Message>>, outcome: Outcome) {
        let settled = Settled::<D> { items: slice::from_ref(item), attempt: None };
        match outcome {
            Outcome::Rejected(failure) => self.dead_letter(self.remaining_of(&settled), &failure),
            outcome => self.settle(&settled, outcome),
        }
    }

    /// Settles the messages of an attempt.
    pub(crate) fn attempted<D: Destination>(&mut self, group: &Group<D>, attempt: Attempt) {
        let settled = |items| Settled { items, attempt: Some((group, &*attempt.destination)) };
        let (outcomes, others) = match attempt.outcomes {
            Outcomes::All(outcome) if group.join.is_some() => {
                return self.settle(&settled(&group.items), outcome);
            }
            Outcomes::All(outcome) => (Vec::new(), outcome),
            // A bug in a destination must not lose a message.
            Outcomes::Each(outcomes) => (outcomes, Outcome::retry(Failure::no_outcome())),
        };
        for (item, outcome) in group.items.iter().zip(outcomes.into_iter().chain(iter::repeat(others))) {
            self.settle(&settled(slice::from_ref(item)), outcome);
        }
    }

    /// Applies all outcomes. Returns the ids of the messages that the queue did not take.
    pub(crate) async fn finish(self, queue: &impl Queue) -> Vec<String> {
        self.tally.record();
        if self.entries.is_empty() {
            return Vec::new();
        }
        let replacements = replacements(self.size, self.entries);
        let received: Vec<Vec<String>> = replacements.iter().map(|one| one.received.clone()).collect();
        let results = queue.replace(replacements).await;
        let failed = received.into_iter().zip(results).filter(|(_, result)| result.is_err());
        failed.flat_map(|(ids, _)| ids).collect()
    }

    fn settle<D: Destination>(&mut self, settled: &Settled<'_, D>, outcome: Outcome) {
        match outcome {
            Outcome::Delivered => self.delivered(settled),
            Outcome::Ignored(reason) => settled.items.iter().for_each(|_| self.tally.ignored(reason)),
            Outcome::Retry { failure, after } => {
                let mut remaining = self.remaining_of(settled);
                let elapsed = self.elapsed(&mut remaining);
                let attempts = delivery_state::count_attempt(&mut remaining.attributes);
                match self.retries.wait(attempts, elapsed, after, self.random) {
                    Some(wait) => self.retry(remaining, &failure, wait),
                    None => self.dead_letter(remaining, &self.retries.expired(&failure)),
                }
            }
            Outcome::Refused(failure) => {
                let mut remaining = self.remaining_of(settled);
                let attempts = delivery_state::count_attempt(&mut remaining.attributes);
                match attempts <= CREDENTIAL_ATTEMPTS {
                    true => self.retry(remaining, &failure, backoff(self.retries.first_wait, attempts, 1.0)),
                    false => self.dead_letter(remaining, &failure),
                }
            }
            Outcome::Rejected(failure) => {
                let mut remaining = self.remaining_of(settled);
                self.elapsed(&mut remaining);
                delivery_state::count_attempt(&mut remaining.attributes);
                self.dead_letter(remaining, &failure);
            }
            Outcome::Held(pause) => {
                let mut remaining = self.remaining_of(settled);
                let elapsed = self.elapsed(&mut remaining);
                let attempts = delivery_state::attempts(&remaining.attributes);
                match self.retries.hold(pause, attempts, elapsed, self.random) {
                    // This is not an attempt. Counting it would log hundreds of lines a second for a backlog.
                    Some(wait) => self.put_back(remaining, wait),
                    None => self.dead_letter(remaining, &self.retries.expired(&Failure::held())),
                }
            }
            Outcome::Postponed { failure, wait } => {
                let remaining = self.remaining_of(settled);
                let age = delivery_state::age(remaining.entered, self.now);
                let is_over = self.retries.window == Window::Retention && self.retries.left(age).is_none();
                match is_over {
                    true => self.dead_letter(remaining, &self.retries.expired(&failure)),
                    false => self.retry(remaining, &failure, wait),
                }
            }
        }
    }

    fn delivered<D: Destination>(&mut self, settled: &Settled<'_, D>) {
        let destination = settled.attempt.map(|(_, destination)| destination).unwrap_or_default();
        for item in settled.items {
            let age = delivery_state::age(self.entered(&item.received), self.now);
            let ids = D::message_ids(&item.message);
            ids.iter().for_each(|_| self.tally.delivered(destination, age));
        }
    }

    fn retry(&mut self, remaining: Remaining, failure: &Failure, wait: Duration) {
        self.tally.retried(failure.code);
        self.put_back(remaining, wait);
    }

    fn put_back(&mut self, mut remaining: Remaining, wait: Duration) {
        self.tally.put_back(delivery_state::age(remaining.entered, self.now));
        // For its queue, a message that is put back is new, so it must carry its time of entry.
        delivery_state::time_or_insert(
            &mut remaining.attributes,
            self.retries.window.entered_attribute(),
            remaining.entered,
        );
        let target = delivery_state::postpone(&mut remaining.attributes, wait, self.now);
        self.entries.push(remaining.into_entry(target));
    }

    fn dead_letter(&mut self, mut remaining: Remaining, failure: &Failure) {
        let Failure { code, reason, status } = failure;
        self.tally.dead_lettered(code);
        let (message_id, queue_id) = (&*remaining.message_id, &*remaining.replaces[0].1);
        let destination = remaining.destination.as_deref();
        // Dead letters are few, and each one must be found in the log.
        tracing::warn!(destination, message_id, queue_id, reason, "A message went to the dead-letter queue.");
        delivery_state::mark_dead_lettered(
            &mut remaining.attributes,
            code,
            reason.clone(),
            *status,
            self.today,
        );
        self.entries.push(remaining.into_entry(TargetQueue::DeadLetter));
    }

    /// Returns the time since the window of a message began. Writes that beginning into the message.
    fn elapsed(&self, remaining: &mut Remaining) -> Duration {
        let began = match self.retries.window {
            Window::Retention => remaining.entered,
            Window::FromFirstAttempt(_) => self.began,
        };
        delivery_state::age(delivery_state::time_or_insert(&mut remaining.attributes, SINCE, began), self.now)
    }

    fn entered(&self, received: &Received) -> Timestamp {
        delivery_state::time(&received.attributes, self.retries.window.entered_attribute())
            .unwrap_or(received.sent_at)
    }

    fn remaining(&self, index: usize, received: Received, message_id: String) -> Remaining {
        let entered = self.entered(&received);
        let Received { id, body, attributes, .. } = received;
        Remaining { replaces: vec![(index, id)], message_id, destination: None, body, attributes, entered }
    }

    fn remaining_of<D: Destination>(&self, settled: &Settled<'_, D>) -> Remaining {
        let first = &settled.items[0];
        let message_id = D::message_ids(&first.message).first().copied().unwrap_or_default().to_owned();
        let mut remaining = self.remaining(first.index, first.received.clone(), message_id);
        let Some((group, destination)) = settled.attempt else { return remaining };
        remaining.destination = Some(destination.to_owned());
        if let (Some(join), [_, _, ..]) = (group.join, settled.items) {
            let messages: Vec<_> = settled.items.iter().map(|item| &item.message).collect();
            // The attributes of its members may differ, in type and in source.
            (remaining.body, remaining.attributes) = (join(&messages), Attributes::new());
            let replaces = settled.items.iter().map(|item| (item.index, item.received.id.clone()));
            remaining.replaces = replaces.collect();
            let entered = settled.items.iter().map(|item| self.entered(&item.received));
            remaining.entered = entered.min().unwrap_or(remaining.entered);
        }
        if let Some((attribute, target)) = group.target_attribute.clone() {
            remaining.attributes.insert(attribute.to_owned(), target);
        }
        remaining
    }
}

impl Remaining {
    fn into_entry(self, target: TargetQueue) -> (Replaced, Entry) {
        (self.replaces, Entry { body: self.body, attributes: self.attributes, target })
    }
}

/// Groups the entries of a batch by the messages that they replace. Joined messages are replaced together or
/// not at all, and so are messages of overlapping batches.
fn replacements(batch_size: usize, entries: Vec<(Replaced, Entry)>) -> Vec<Replacement> {
    let mut groups: Vec<(Replaced, Vec<Entry>)> = Vec::new();
    let mut group_of: Vec<Option<usize>> = vec![None; batch_size];
    for (replaces, entry) in entries {
        let group = group_of[replaces[0].0].unwrap_or_else(|| {
            groups.push(Default::default());
            groups.len() - 1
        });
        for (index, id) in replaces {
            let (replaced, entries) = match group_of[index] {
                Some(known) if known == group => continue,
                Some(other) => mem::take(&mut groups[other]),
                None => (vec![(index, id)], Vec::new()),
            };
            replaced.iter().for_each(|(index, _)| group_of[*index] = Some(group));
            groups[group].0.extend(replaced);
            groups[group].1.extend(entries);
        }
        groups[group].1.push(entry);
    }
    let replacement = |(replaced, entries): (Replaced, Vec<Entry>)| Replacement {
        received: replaced.into_iter().map(|(_, id)| id).collect(),
        entries,
    };
    groups.into_iter().filter(|(replaced, _)| !replaced.is_empty()).map(replacement).collect()
}
