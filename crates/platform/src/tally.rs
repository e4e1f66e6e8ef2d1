//! Counts how the messages of a batch end, and records it at its end: one line for each reason and not for each
//! message, for in an outage there are many.

use std::{collections::BTreeMap, time::Duration};

use crate::telemetry;

/// The ends of a batch's messages.
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
    /// A message was published. `kind` is what it was made from.
    pub fn accepted(&mut self, kind: &str) {
        *self.accepted.entry(kind.to_owned()).or_default() += 1;
    }

    /// It is of no interest.
    pub fn ignored(&mut self, reason: &'static str) {
        *self.ignored.entry(reason).or_default() += 1;
    }

    /// Its time was not believed.
    pub fn corrected(&mut self, reason: &'static str) {
        *self.corrected.entry(reason).or_default() += 1;
    }

    /// The destination `to` took it, this long after it entered the queue.
    pub fn delivered(&mut self, to: &str, age: Duration) {
        self.delivered.entry(to.to_owned()).or_default().push(age);
    }

    /// It is tried again.
    pub fn retried(&mut self, reason: &'static str) {
        *self.retried.entry(reason).or_default() += 1;
    }

    /// It goes back into the queue, which it entered this long ago.
    pub fn put_back(&mut self, age: Duration) {
        self.oldest = self.oldest.max(Some(age));
    }

    /// It goes to the dead-letter queue.
    pub fn dead_lettered(&mut self, reason: &'static str) {
        *self.dead_lettered.entry(reason).or_default() += 1;
    }

    /// Records all of it.
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
