//! How a batch of messages ends: what puts back, dead-letters, counts and logs, for the functions that bring messages
//! to Segment.

use std::time::Duration;

use jiff::Timestamp;
use segment::{Failure, retry};

use crate::{
    clock::SharedClock,
    history::{self, CREDENTIAL_ATTEMPTS, RETENTION},
    queue::{Place, Queue, Received, Replacement},
    tally::Tally,
};

/// The ends of a batch's messages, to be carried out together.
pub struct Settlement {
    /// The steady time, by which ages are measured.
    now: Timestamp,
    /// The time of day, for people.
    today: Timestamp,
    destination: &'static str,
    tally: Tally,
    replacements: Vec<Replacement>,
}

impl Settlement {
    /// A settlement at the clock's time. `destination` is what delivered messages are recorded with.
    pub fn new(clock: &SharedClock, destination: &'static str) -> Self {
        let (now, today) = (clock.steady(), clock.now());
        Self { now, today, destination, tally: Tally::default(), replacements: Vec::new() }
    }

    /// To be called for each message before it is settled.
    pub fn received(&self, message: &mut Received) {
        history::received(&mut message.attributes, self.now);
    }

    /// Segment has the message.
    pub fn delivered(&mut self, mut message: Received) {
        let age = self.age(&mut message);
        self.tally.delivered(self.destination, age);
    }

    /// No attempt was made: it waits for this long, [`retry::MAX_WAIT`] at most.
    pub fn held(&mut self, message: Received, wait: Duration) {
        self.put_back(message, wait.min(retry::MAX_WAIT));
    }

    /// An attempt failed for now. It is made again after the wait that Segment asked for or the next one of the plan,
    /// of which `random` (0 to 1) chooses the length.
    pub fn retry(&mut self, mut message: Received, failure: Failure, after: Option<Duration>, random: f64) {
        let attempts = history::count_attempt(&mut message.attributes);
        self.put_back_in_time(message, failure, retry::wait(attempts, after, random));
    }

    /// Segment refused the credentials, or there are none: somebody may be changing them right now, in Segment first and
    /// in the secret after that. A few attempts are made again, and then it is rejected.
    pub fn without_credentials(&mut self, mut message: Received, failure: &Failure) {
        if history::attempts(&message.attributes) >= CREDENTIAL_ATTEMPTS {
            return self.reject(message, failure);
        }
        self.tally.retried(failure.code());
        let attempts = history::count_attempt(&mut message.attributes);
        self.put_back(message, retry::wait(attempts, None, 1.0));
    }

    /// It waits for this long, for a reason that is no attempt's, or is given up when the queue would drop it soon.
    pub fn put_back_in_time(&mut self, mut message: Received, failure: Failure, wait: Duration) {
        let since = history::since(&mut message.attributes, message.sent_at);
        if self.now.duration_since(since) >= RETENTION {
            return self.bury(message, &Failure::Expired(Box::new(failure)));
        }
        self.tally.retried(failure.code());
        self.put_back(message, wait);
    }

    /// Segment will never take it.
    pub fn reject(&mut self, mut message: Received, failure: &Failure) {
        history::count_attempt(&mut message.attributes);
        self.bury(message, failure);
    }

    /// Carries all of it out, and returns the ids of the messages that the queue did not take.
    pub async fn finish(self, queue: &impl Queue) -> Vec<String> {
        self.tally.record();
        if self.replacements.is_empty() {
            return Vec::new();
        }
        let ids: Vec<String> = self.replacements.iter().flat_map(|one| one.received.clone()).collect();
        let results = queue.replace(self.replacements).await;
        let failed = ids.into_iter().zip(results).filter(|(_, result)| result.is_err());
        failed.map(|(id, _)| id).collect()
    }

    fn put_back(&mut self, mut message: Received, delay: Duration) {
        let age = self.age(&mut message);
        self.tally.put_back(age);
        let place = history::wait(&mut message.attributes, delay, self.now);
        self.replacements.push(Replacement::of_one(message, place));
    }

    /// How long ago the message entered the queue. It is kept from here on: as a new message in the queue it would
    /// otherwise begin to wait anew.
    fn age(&self, message: &mut Received) -> Duration {
        history::age(history::since(&mut message.attributes, message.sent_at), self.now)
    }

    fn bury(&mut self, mut message: Received, failure: &Failure) {
        let content = segment::Message::from_json(message.body.as_bytes()).ok();
        let message_id = content.as_ref().and_then(segment::Message::message_id).unwrap_or_default();
        self.tally.dead_lettered(failure.code());
        tracing::warn!(message_id, queue_id = message.id, reason = %failure, "A message went to the dead-letter queue.");
        let (reason, status) = (failure.to_string(), failure.status());
        history::dead(&mut message.attributes, failure.code(), reason, status, self.today);
        self.replacements.push(Replacement::of_one(message, Place::DeadLetter));
    }
}
