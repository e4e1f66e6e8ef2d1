//! What becomes of one delivery: nothing more, another try later, or the dead-letter queue.

use std::time::Duration;

use jiff::Timestamp;
use platform::{
    history,
    queue::{Entry, Place, Received},
    tally::Tally,
    topic::Attributes,
};

use crate::{
    handler::Ending,
    outcome::{Failure, Outcome},
    payload::Outgoing,
    plan::{Delivery, Plan, Settled, WEBHOOK},
    schedule,
};

/// The longest wait of a message that nothing is wrong with: its turn did not come, or the secret was not there.
pub(super) const SHORT_WAIT: Duration = Duration::from_secs(30);

/// What is the same for all messages of a batch.
pub(super) struct Round<'a> {
    /// The steady time, by which ages are measured.
    pub now: Timestamp,
    /// The time of day, for people.
    pub today: Timestamp,
    /// When the attempts began.
    pub started: Timestamp,
    pub window: Duration,
    pub random: fn() -> f64,
    pub tally: &'a mut Tally,
}

impl Round<'_> {
    /// What becomes of a message that needs no attempt.
    pub fn without_attempt(&mut self, received: &Received, settled: &Settled) -> Option<Entry> {
        let mut attributes = received.attributes.clone();
        let place = match settled {
            Settled::Unwanted => {
                self.tally.ignored("no_webhook_wants_it");
                return None;
            }
            Settled::Early(wait) => self.put_back(&mut attributes, *wait),
            Settled::Dead(failure) => self.dead(&mut attributes, message_id(None), failure),
        };
        Some(Entry { body: received.body.clone(), attributes, place })
    }

    /// A delivery to one webhook: unless it was taken, it becomes an entry of its own for that webhook.
    pub fn of_webhook(
        &mut self,
        batch: &[Received],
        plan: &Plan,
        delivery: &Delivery,
        name: &str,
        ending: Ending,
    ) -> Option<Entry> {
        let messages = || delivery.items.iter().flat_map(|item| &plan.messages[*item]);
        if let Ending::Tried(Outcome::Delivered) = ending {
            for item in &delivery.items {
                let age = history::age(plan.entered[*item], self.now);
                plan.messages[*item].iter().for_each(|_| self.tally.delivered(name, age));
            }
            return None;
        }
        let first = &batch[delivery.items[0]];
        let (mut attributes, body) = match &delivery.items[..] {
            [_] => (first.attributes.clone(), first.body.clone()),
            // Its members may be of any type and any source.
            items => {
                let mut attributes = Attributes::new();
                let oldest = items.iter().map(|item| plan.entered[*item]).min();
                history::entered(&mut attributes, oldest.unwrap_or(first.sent_at));
                (
                    attributes,
                    format!(
                        "[{}]",
                        messages().map(|message| message.json.as_str()).collect::<Vec<_>>().join(",")
                    ),
                )
            }
        };
        attributes.insert(WEBHOOK.to_owned(), name.to_owned());
        let place = self.place(&mut attributes, message_id(messages().next()), ending);
        Some(Entry { body, attributes, place })
    }

    /// As classic: any success ends the message. Until then it goes to all webhooks again.
    pub fn of_any(
        &mut self,
        received: &Received,
        plan: &Plan,
        item: usize,
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
            self.tally.delivered(name, history::age(plan.entered[item], self.now));
            return None;
        }
        let mut attributes = received.attributes.clone();
        let place = self.place(&mut attributes, message_id(plan.messages[item].first()), ending.clone());
        Some(Entry { body: received.body.clone(), attributes, place })
    }

    /// Where a message goes that was not delivered, with what it shall remember.
    fn place(&mut self, attributes: &mut Attributes, message_id: &str, ending: Ending) -> Place {
        let random = (self.random)();
        let (failure, wait) = match ending {
            Ending::Busy => {
                self.tally.retried("busy");
                return self.put_back(attributes, SHORT_WAIT.mul_f64(random));
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
                // To hold a message is no attempt: of a backlog there would be hundreds of lines a second.
                if failure != Failure::CalledOff {
                    self.tally.retried(failure.code());
                }
                self.put_back(attributes, wait)
            }
            None => self.dead(attributes, message_id, &Failure::Expired { last: Box::new(failure) }),
        }
    }

    fn put_back(&mut self, attributes: &mut Attributes, wait: Duration) -> Place {
        let entered = history::entered(attributes, self.started);
        self.tally.put_back(history::age(entered, self.now));
        history::wait(attributes, wait, self.now)
    }

    fn elapsed(&self, attributes: &mut Attributes) -> Duration {
        history::age(history::since(attributes, self.started), self.now)
    }

    fn dead(&mut self, attributes: &mut Attributes, message_id: &str, failure: &Failure) -> Place {
        let webhook = attributes.get(WEBHOOK).map_or("", String::as_str);
        self.tally.dead_lettered(failure.code());
        // These are few, and each wants to be found.
        tracing::warn!(webhook, message_id, reason = %failure, "A message went to the dead-letter queue.");
        history::dead(attributes, failure.code(), failure.to_string(), failure.status(), self.today);
        Place::DeadLetter
    }
}

fn message_id(message: Option<&Outgoing>) -> &str {
    message.and_then(|message| message.message_id.as_deref()).unwrap_or_default()
}
