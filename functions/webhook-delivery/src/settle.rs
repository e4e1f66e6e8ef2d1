//! How each message ends: the one place that puts back, dead-letters, counts and logs.

mod ledger;

use std::time::Duration;

use jiff::Timestamp;
use platform::{
    history,
    queue::{Entry, Place, Queue, Received, Replacement},
    topic::Attributes,
};

use segment::Message;

use self::ledger::Ledger;
use crate::{
    Handler,
    config::{Success, Webhooks},
    handler::Ending,
    outcome::{Failure, Outcome},
    plan::{Delivery, Plan, Settled, WEBHOOK},
    schedule,
};

/// The longest wait of a message that nothing is wrong with: its turn did not come, or the secret was not there.
const SHORT_WAIT: Duration = Duration::from_secs(30);

/// What is the same for all messages of a batch.
struct Round<'a> {
    now: Timestamp,
    /// When the attempts began.
    started: Timestamp,
    window: Duration,
    random: fn() -> f64,
    ledger: &'a mut Ledger,
}

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
        let mut ledger = Ledger::default();
        let (now, window, random) = (self.clock.now(), webhooks.window, self.random);
        let mut round = Round { now, started, window, random, ledger: &mut ledger };
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
                    if let Some(entry) = round.of_any(&batch[item], &plan.messages[item], endings) {
                        entries.push((item, entry));
                    }
                }
            }
        }
        ledger.record();
        self.replace(&batch, &group, entries).await
    }

    /// Puts every message back as it is, one that is not due yet included: nothing is known of the webhooks.
    pub(crate) async fn put_all_back(&self, batch: Vec<Received>) -> Vec<String> {
        let (mut ledger, now) = (Ledger::default(), self.clock.now());
        let entries = batch.iter().enumerate().map(|(item, received)| {
            ledger.retried(Failure::SecretUnavailable.code());
            let mut attributes = received.attributes.clone();
            let wait = history::not_yet_due(&attributes, now).unwrap_or(SHORT_WAIT);
            let place = history::wait(&mut attributes, wait, now);
            (item, Entry { body: received.body.clone(), attributes, place })
        });
        let entries = entries.collect();
        ledger.record();
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

impl Round<'_> {
    fn without_attempt(&mut self, received: &Received, settled: &Settled) -> Option<Entry> {
        let mut attributes = received.attributes.clone();
        let place = match settled {
            Settled::Unwanted => {
                self.ledger.unwanted();
                return None;
            }
            Settled::Early(wait) => history::wait(&mut attributes, *wait, self.now),
            Settled::Dead(failure) => self.dead(&mut attributes, message_id(None), failure),
        };
        Some(Entry { body: received.body.clone(), attributes, place })
    }

    /// A delivery to one webhook: unless it was taken, it becomes an entry of its own for that webhook.
    fn of_webhook(
        &mut self,
        batch: &[Received],
        plan: &Plan,
        delivery: &Delivery,
        name: &str,
        ending: Ending,
    ) -> Option<Entry> {
        let messages = || delivery.items.iter().flat_map(|item| &plan.messages[*item]);
        if let Ending::Tried(Outcome::Delivered) = ending {
            self.ledger.delivered(name, messages().count());
            return None;
        }
        let first = &batch[delivery.items[0]];
        let (mut attributes, body) = match &delivery.items[..] {
            [_] => (first.attributes.clone(), first.body.clone()),
            // Its members may be of any type and any source.
            _ => (
                Attributes::new(),
                format!("[{}]", messages().map(Message::as_json).collect::<Vec<_>>().join(",")),
            ),
        };
        attributes.insert(WEBHOOK.to_owned(), name.to_owned());
        let place = self.place(&mut attributes, message_id(messages().next()), ending);
        Some(Entry { body, attributes, place })
    }

    /// As classic: any success ends the message. Until then it goes to all webhooks again.
    fn of_any(
        &mut self,
        received: &Received,
        messages: &[Message],
        endings: &[(&str, Ending)],
    ) -> Option<Entry> {
        // A success decides, or else whoever may be asked again soonest.
        let rank = |ending: &Ending| match ending {
            Ending::Tried(Outcome::Delivered) => (0, Duration::ZERO),
            Ending::Tried(Outcome::Retry { after, .. }) => (1, after.unwrap_or_default()),
            Ending::Held(pause) => (1, *pause),
            Ending::Busy => (1, SHORT_WAIT),
            Ending::Tried(Outcome::Rejected(_)) => (2, Duration::ZERO),
        };
        let (name, ending) = endings.iter().min_by_key(|(_, ending)| rank(ending))?;
        if let Ending::Tried(Outcome::Delivered) = ending {
            self.ledger.delivered(name, 1);
            return None;
        }
        let mut attributes = received.attributes.clone();
        let place = self.place(&mut attributes, message_id(messages.first()), ending.clone());
        Some(Entry { body: received.body.clone(), attributes, place })
    }

    /// Where a message goes that was not delivered, with what it shall remember.
    fn place(&mut self, attributes: &mut Attributes, message_id: &str, ending: Ending) -> Place {
        let random = (self.random)();
        let (failure, wait) = match ending {
            Ending::Busy => {
                self.ledger.retried("busy");
                return history::wait(attributes, SHORT_WAIT.mul_f64(random), self.now);
            }
            Ending::Held(pause) => {
                let elapsed = self.elapsed(attributes);
                let untried = history::attempts(attributes) == 0;
                // However short the window, one attempt shall be made, if the webhook comes back soon.
                let window = if untried { self.window.max(schedule::MAX_WAIT) } else { self.window };
                (Failure::CalledOff, schedule::hold(pause, elapsed, window, random))
            }
            Ending::Tried(Outcome::Retry { failure, after }) => {
                let elapsed = self.elapsed(attributes);
                let attempts = history::count_attempt(attributes);
                (failure, schedule::wait(attempts, elapsed, after, self.window, random))
            }
            Ending::Tried(Outcome::Rejected(failure)) => {
                self.elapsed(attributes);
                history::count_attempt(attributes);
                return self.dead(attributes, message_id, &failure);
            }
            // Its callers have dealt with it; to deliver it again is the safe way out.
            Ending::Tried(Outcome::Delivered) => (Failure::Panic, Some(SHORT_WAIT)),
        };
        match wait {
            Some(wait) => {
                self.ledger.retried(failure.code());
                history::wait(attributes, wait, self.now)
            }
            None => self.dead(attributes, message_id, &Failure::Expired { last: Box::new(failure) }),
        }
    }

    fn elapsed(&self, attributes: &mut Attributes) -> Duration {
        let since = history::since(attributes, self.started);
        Duration::try_from(self.now.duration_since(since)).unwrap_or_default()
    }

    fn dead(&mut self, attributes: &mut Attributes, message_id: &str, failure: &Failure) -> Place {
        let webhook = attributes.get(WEBHOOK).map_or("", String::as_str);
        self.ledger.dead_lettered(webhook, message_id, failure);
        history::dead(attributes, failure.code(), failure.to_string(), failure.status(), self.now);
        Place::DeadLetter
    }
}

fn message_id(message: Option<&Message>) -> &str {
    message.and_then(Message::message_id).unwrap_or_default()
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
