//! How each message ends: the one place that puts back, dead-letters, counts and logs.

mod round;

use jiff::Timestamp;
use platform::{
    history,
    queue::{Entry, Queue, Received, Replacement},
    tally::Tally,
};

use self::round::{Round, SHORT_WAIT};
use crate::{
    Handler,
    config::{Success, Webhooks},
    handler::Ending,
    outcome::Failure,
    plan::Plan,
};

impl<Q: Queue> Handler<Q> {
    /// Settles every message and returns the ids of those that the queue did not take.
    pub(crate) async fn settle(
        &self,
        batch: Vec<Received>,
        plan: &Plan,
        endings: Vec<Ending>,
        webhooks: &Webhooks,
        started: Timestamp,
    ) -> Vec<String> {
        let mut tally = Tally::default();
        let (now, today) = (self.clock.steady(), self.clock.now());
        let (window, random) = (webhooks.window, self.random);
        let mut round = Round { now, today, started, window, random, tally: &mut tally };
        // Messages of a batch that failed become one entry, so they are replaced together or not at all.
        let mut group: Vec<usize> = (0..batch.len()).collect();
        let mut entries: Vec<(usize, Entry)> = Vec::new();
        for (item, settled) in &plan.settled {
            if let Some(entry) = round.without_attempt(&batch[*item], settled) {
                entries.push((*item, entry));
            }
        }
        match webhooks.success {
            Success::All => {
                for (delivery, ending) in plan.deliveries.iter().zip(endings) {
                    let name = &webhooks.webhooks[delivery.webhook].name;
                    if let Some(entry) = round.of_webhook(&batch, plan, delivery, name, ending) {
                        join(&mut group, &delivery.items);
                        entries.push((delivery.items[0], entry));
                    }
                }
            }
            Success::Any => {
                let mut all: Vec<Vec<(&str, Ending)>> = vec![Vec::new(); batch.len()];
                for (delivery, ending) in plan.deliveries.iter().zip(endings) {
                    all[delivery.items[0]].push((&webhooks.webhooks[delivery.webhook].name, ending));
                }
                for (item, endings) in all.iter().enumerate().filter(|(_, endings)| !endings.is_empty()) {
                    if let Some(entry) = round.of_any(&batch[item], plan, item, endings) {
                        entries.push((item, entry));
                    }
                }
            }
        }
        tally.record();
        self.replace(&batch, &group, entries).await
    }

    /// Puts every message back as it is, one that is not due yet included: nothing is known of the webhooks.
    pub(crate) async fn put_all_back(&self, batch: Vec<Received>) -> Vec<String> {
        let (mut tally, now) = (Tally::default(), self.clock.steady());
        let entries = batch.iter().enumerate().map(|(item, received)| {
            tally.retried(Failure::SecretUnavailable.code());
            let mut attributes = received.attributes.clone();
            history::received(&mut attributes, now);
            let entered = history::entered(&mut attributes, received.sent_at);
            tally.put_back(history::age(entered, now));
            let wait = history::not_yet_due(&attributes, now).unwrap_or(SHORT_WAIT);
            let place = history::wait(&mut attributes, wait, now);
            (item, Entry { body: received.body.clone(), attributes, place })
        });
        let entries = entries.collect();
        tally.record();
        self.replace(&batch, &(0..batch.len()).collect::<Vec<_>>(), entries).await
    }

    async fn replace(
        &self,
        batch: &[Received],
        group: &[usize],
        entries: Vec<(usize, Entry)>,
    ) -> Vec<String> {
        let mut replacements: Vec<Replacement> = vec![Replacement::default(); batch.len()];
        for (item, entry) in entries {
            replacements[group[item]].entries.push(entry);
        }
        for (received, group) in batch.iter().zip(group) {
            replacements[*group].received.push(received.id.clone());
        }
        replacements.retain(|replacement| !replacement.entries.is_empty());
        if replacements.is_empty() {
            return Vec::new();
        }
        let received: Vec<Vec<String>> = replacements.iter().map(|one| one.received.clone()).collect();
        let results = self.queue.replace(replacements).await;
        let failed = received.into_iter().zip(results).filter(|(_, result)| result.is_err());
        failed.flat_map(|(ids, _)| ids).collect()
    }
}

/// Puts messages into one group, and with them whatever is in their groups already.
fn join(group: &mut [usize], items: &[usize]) {
    let target = group[items[0]];
    for item in &items[1..] {
        let old = group[*item];
        group.iter_mut().filter(|group| **group == old).for_each(|group| *group = target);
    }
}

#[cfg(test)]
mod tests;
