//! Counts how the messages of a batch end, and logs it: one line for each reason, not for each message, for in an
//! outage there are many.

use std::collections::BTreeMap;

use platform::telemetry::{Event, record};

use crate::outcome::Failure;

#[derive(Default)]
pub(super) struct Ledger {
    delivered: BTreeMap<String, usize>,
    retried: BTreeMap<String, usize>,
    unwanted: usize,
}

impl Ledger {
    pub fn delivered(&mut self, webhook: &str, count: usize) {
        *self.delivered.entry(webhook.to_owned()).or_default() += count;
    }

    pub fn retried(&mut self, reason: &str) {
        *self.retried.entry(reason.to_owned()).or_default() += 1;
    }

    pub fn unwanted(&mut self) {
        self.unwanted += 1;
    }

    /// These are few, and each wants to be found.
    pub fn dead_lettered(&mut self, webhook: &str, message_id: &str, failure: &Failure) {
        record(Event::DeadLettered, failure.code(), 1);
        tracing::warn!(webhook, message_id, reason = %failure, "A message went to the dead-letter queue.");
    }

    pub fn record(&self) {
        self.delivered.iter().for_each(|(webhook, count)| record(Event::Delivered, webhook, *count));
        self.retried.iter().for_each(|(reason, count)| record(Event::Retried, reason, *count));
        record(Event::Ignored, "no_webhook_wants_it", self.unwanted);
    }
}
