//! Counts how the messages of a batch end and records the counts together: one line for each reason, not for
//! each message, because an outage affects many messages.

use std::{collections::BTreeMap, time::Duration};

use crate::telemetry;

/// The counts of a batch.
#[derive(Debug, Default)]
pub struct Tally {
    accepted: BTreeMap<String, usize>,
    ignored: BTreeMap<&'static str, usize>,
    corrected: BTreeMap<&'static str, usize>,
    delivered: BTreeMap<String, Vec<Duration>>,
    retried: BTreeMap<&'static str, usize>,
    dead_lettered: BTreeMap<&'static str, usize>,
    oldest: Option<Duration>,
}

impl Tally {
    /// Counts a published message. `kind` is the type of its origin.
    pub fn accepted(&mut self, kind: &str) {
        *self.accepted.entry(kind.to_owned()).or_default() += 1;
    }

    /// Counts a message of no interest.
    pub fn ignored(&mut self, reason: &'static str) {
        *self.ignored.entry(reason).or_default() += 1;
    }

    /// Counts a message whose time was replaced.
    pub fn corrected(&mut self, reason: &'static str) {
        *self.corrected.entry(reason).or_default() += 1;
    }

    /// Counts a message that the destination `to` took, `age` after it entered the queue.
    pub fn delivered(&mut self, to: &str, age: Duration) {
        self.delivered.entry(to.to_owned()).or_default().push(age);
    }

    /// Counts a message that is tried again.
    pub fn retried(&mut self, reason: &'static str) {
        *self.retried.entry(reason).or_default() += 1;
    }

    /// Notes a message that goes back into the queue, `age` after it entered the queue.
    pub fn put_back(&mut self, age: Duration) {
        self.oldest = self.oldest.max(Some(age));
    }

    /// Counts a message that goes to the dead-letter queue.
    pub fn dead_lettered(&mut self, reason: &'static str) {
        *self.dead_lettered.entry(reason).or_default() += 1;
    }

    /// Records all counts.
    pub fn record(self) {
        self.accepted.iter().for_each(|(kind, count)| telemetry::accepted(kind, *count));
        self.ignored.into_iter().for_each(|(reason, count)| telemetry::ignored(reason, count));
        self.corrected.into_iter().for_each(|(reason, count)| telemetry::corrected(reason, count));
        self.delivered.into_iter().for_each(|(to, times)| telemetry::delivered(&to, times.len(), times));
        self.retried.into_iter().for_each(|(reason, count)| telemetry::retried(reason, count));
        self.dead_lettered.into_iter().for_each(|(reason, count)| telemetry::dead_lettered(reason, count));
        self.oldest.into_iter().for_each(telemetry::put_back);
    }
}
