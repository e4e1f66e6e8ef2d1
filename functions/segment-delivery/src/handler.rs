//! One batch from the queue: decode, group by write key, send, settle.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use platform::{
    attempt::{Attempt, End, Watcher},
    breaker::{Breaker, Limits, Permit},
    clock::SharedClock,
    filter,
    queue::{Queue, Received},
    secrets::CachedSecret,
    topic::{WRITE_KEY, for_segment},
    write_keys::{DEFAULT, NamedWriteKey, WriteKeys},
};
use segment::{Client, Failure, Outcome, Outgoing, retry};
use tokio::time::Instant;

use crate::{
    decode::{contained, decode},
    pace::Pace,
    settle::Ending,
};

/// There is a breaker for each write key: one workspace's rate limit must not hold up another's messages.
const BREAKER: Limits = Limits {
    threshold: 3,
    first_pause: retry::FIRST_WAIT,
    longest_pause: Duration::from_secs(20),
    // The client's deadline for one call, and for the second one after a refused write key.
    probe_time: Duration::from_secs(20),
};

/// What metrics and whoever watches call Segment.
pub(crate) const DESTINATION: &str = "segment";

/// How long a batch is held while Segment is not to be called. Longer than the breaker's interval, so that
/// an outage is sat out here and not by sending messages round and round.
const PATIENCE: Duration = BREAKER.longest_pause.saturating_add(Duration::from_secs(2));

/// How often a batch that is held looks whether Segment may be called again.
const STEP: Duration = Duration::from_millis(250);

/// Delivers what the queue hands out. It keeps the breakers, so there is one for the life of a process.
pub struct Handler<Q> {
    pub(crate) queue: Q,
    pub(crate) clock: SharedClock,
    pub(crate) random: fn() -> f64,
    shared: Arc<Shared>,
    pace: Pace,
    watcher: Watcher,
}

/// What the tasks of a batch, one for each write key, use together.
struct Shared {
    client: Client,
    write_keys: Arc<CachedSecret<WriteKeys>>,
    clock: SharedClock,
    breakers: Mutex<HashMap<String, Breaker>>,
    random: fn() -> f64,
}

impl<Q: Queue> Handler<Q> {
    /// A handler that sends through `client` with the keys of `write_keys`.
    pub fn new(
        queue: Q,
        client: Client,
        write_keys: Arc<CachedSecret<WriteKeys>>,
        clock: SharedClock,
    ) -> Self {
        let random = fastrand::f64;
        let shared = Shared { client, write_keys, clock: clock.clone(), breakers: Mutex::default(), random };
        Self {
            queue,
            clock,
            random,
            shared: Arc::new(shared),
            pace: Pace::default(),
            watcher: Watcher::default(),
        }
    }

    /// The same, but batches follow each other at this pace at most.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The same, and `watcher` is told of each attempt.
    #[must_use]
    pub fn with_watcher(self, watcher: Watcher) -> Self {
        Self { watcher, ..self }
    }

    /// Brings every message to its end and returns the ids of those for which even the queue failed: they
    /// shall be handed out again.
    pub async fn handle(&self, mut batch: Vec<Received>) -> Vec<String> {
        let began = self.clock.steady();
        filter::drop_unwanted(&mut batch, for_segment);
        let mut endings = Vec::with_capacity(batch.len());
        let mut groups: BTreeMap<String, (Vec<Received>, Vec<Outgoing>)> = BTreeMap::new();
        for received in batch {
            // One tree at a time: that of a message may be a hundred times as large as its text.
            let outgoing =
                contained(decode, &received).and_then(|message| self.shared.client.outgoing(&message));
            match outgoing {
                Ok(message) => {
                    let write_key =
                        received.attributes.get(WRITE_KEY).map_or(DEFAULT, String::as_str).to_owned();
                    let (received_of_key, messages) = groups.entry(write_key).or_default();
                    received_of_key.push(received);
                    messages.push(message);
                }
                Err(failure) => endings.push((received, Ending::Tried(Outcome::Rejected(failure)))),
            }
        }
        let sent = groups.values().map(|(_, messages)| messages.len()).sum();
        // Waiting for one write key's turn must not hold up the messages of another.
        let patience = if groups.len() == 1 { PATIENCE } else { Duration::ZERO };
        let tasks: Vec<_> = groups
            .into_iter()
            .map(|(write_key, (received, messages))| {
                let (shared, watcher) = (self.shared.clone(), self.watcher.clone());
                let task = async move { shared.deliver(&write_key, &messages, patience, &watcher).await };
                (received, tokio::spawn(task))
            })
            .collect();
        for (received, task) in tasks {
            // A task that panicked fails its own messages, for now; they are tried again later.
            let panicked = Ending::Tried(Outcome::Retry { failure: Failure::Panic, after: None });
            let ends = task.await.unwrap_or_else(|_| vec![panicked; received.len()]);
            endings.extend(received.into_iter().zip(ends));
        }
        let failed = self.settle(endings).await;
        self.pace.keep(&self.clock, began, sent).await;
        failed
    }
}

impl Shared {
    async fn deliver(
        &self,
        write_key: &str,
        messages: &[Outgoing],
        patience: Duration,
        watcher: &Watcher,
    ) -> Vec<Ending> {
        if let Err(wait) = self.wait_for_leave(write_key, patience).await {
            return vec![Ending::Held(wait); messages.len()];
        }
        let credentials = NamedWriteKey { keys: self.write_keys.clone(), name: write_key.to_owned() };
        let (began, stopwatch) = (self.clock.now(), Instant::now());
        let outcomes = self.client.send_outgoing(&credentials, messages).await;
        watcher.tell(|| {
            let ended = messages.iter().zip(&outcomes);
            let ends = ended
                .map(|(message, outcome)| End::at_segment(message.message_id.as_deref(), outcome))
                .collect();
            let destination = DESTINATION.to_owned();
            Attempt { destination, began, took: stopwatch.elapsed(), request: None, ends }
        });
        let asked_to_retry = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Retry { after, .. } => Some(*after),
            _ => None,
        });
        self.breaker(write_key, |breaker| match asked_to_retry {
            Some(after) => breaker.failed(self.clock.steady(), after, (self.random)()),
            None => breaker.succeeded(),
        });
        outcomes.into_iter().map(Ending::Tried).collect()
    }

    /// Waits until Segment may be called, for `patience` at most; after that it returns how long is left.
    async fn wait_for_leave(&self, write_key: &str, mut patience: Duration) -> Result<(), Duration> {
        loop {
            match self.breaker(write_key, |breaker| breaker.permit(self.clock.steady())) {
                Permit::Go => return Ok(()),
                Permit::Wait(wait) if patience.is_zero() => return Err(wait),
                Permit::Wait(wait) => {
                    // In steps, because another batch's probe may succeed meanwhile.
                    let step = wait.min(STEP).min(patience);
                    self.clock.sleep(step).await;
                    patience -= step;
                }
            }
        }
    }

    fn breaker<R>(&self, write_key: &str, act: impl FnOnce(&mut Breaker) -> R) -> R {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        act(breakers.entry(write_key.to_owned()).or_insert_with(|| Breaker::new(BREAKER)))
    }
}
