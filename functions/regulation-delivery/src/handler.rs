//! One batch from the queue: decode, group by token, make regulations, settle.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use platform::{
    attempt::{Attempt, End, Watcher},
    clock::SharedClock,
    filter,
    queue::{Queue, Received},
    quota::Quota,
    secrets::{CachedSecret, SecretError},
    telemetry::Chain,
    topic::{WRITE_KEY, for_regulations},
    write_keys::DEFAULT,
};
use segment::{
    Failure, Message, Outcome,
    regulation::{MAX_USERS_A_MONTH, Regulations},
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    decode::{contained, decode},
    delivery::Delivery,
    settle::Ending,
    tokens::Tokens,
};

/// Makes regulations of what the queue hands out. It keeps the breakers, so there is one for the life of a process.
pub struct Handler<Q, C> {
    pub(crate) queue: Q,
    pub(crate) clock: SharedClock,
    pub(crate) random: fn() -> f64,
    tokens: Arc<CachedSecret<Tokens>>,
    delivery: Arc<Delivery<C>>,
    watcher: Watcher,
}

/// What metrics and whoever watches call regulations.
pub(crate) const DESTINATION: &str = "regulation";

/// The messages for one token, with the users whom they delete.
#[derive(Default)]
struct Group {
    received: Vec<Received>,
    user_ids: Vec<String>,
}

impl<Q: Queue, C: Quota + 'static> Handler<Q, C> {
    /// A handler that makes `regulations` with the tokens of `tokens`, as many in a month as `quota` grants of
    /// [`MAX_USERS_A_MONTH`] for each of them.
    pub fn new(
        queue: Q,
        regulations: Regulations,
        tokens: Arc<CachedSecret<Tokens>>,
        quota: C,
        clock: SharedClock,
    ) -> Self {
        Self::with_limit(queue, regulations, tokens, quota, clock, MAX_USERS_A_MONTH)
    }

    /// As [`new`](Self::new), for workspaces of which Segment takes another number of users a month.
    pub fn with_limit(
        queue: Q,
        regulations: Regulations,
        tokens: Arc<CachedSecret<Tokens>>,
        quota: C,
        clock: SharedClock,
        users_a_month: u64,
    ) -> Self {
        let random = fastrand::f64;
        let delivery =
            Delivery::new(regulations, tokens.clone(), quota, users_a_month, clock.clone(), random);
        Self { queue, clock, random, tokens, delivery: Arc::new(delivery), watcher: Watcher::default() }
    }

    /// The same, and `watcher` is told of each attempt.
    #[must_use]
    pub fn with_watcher(self, watcher: Watcher) -> Self {
        Self { watcher, ..self }
    }

    /// Brings every message to its end and returns the ids of those for which even the queue failed: they
    /// shall be handed out again.
    pub async fn handle(&self, mut batch: Vec<Received>) -> Vec<String> {
        filter::drop_unwanted(&mut batch, for_regulations);
        let mut endings = Vec::with_capacity(batch.len());
        let mut readable = Vec::with_capacity(batch.len());
        for received in batch {
            match contained(decode, &received) {
                Ok(user_id) => readable.push((received, user_id)),
                Err(failure) => endings.push((received, Ending::Tried(Outcome::Rejected(failure)))),
            }
        }
        let (tokens, refused) = self.grouped(readable).await;
        endings.extend(refused);
        let (began, stopwatch) = (self.clock.now(), Instant::now());
        let tasks: Vec<_> = tokens
            .into_iter()
            .map(|(name, Group { received, user_ids })| {
                let delivery = self.delivery.clone();
                // A set, though of one: it ends with the batch, where a task by itself would go on calling.
                let mut task = JoinSet::new();
                task.spawn(async move { delivery.deliver(&name, &user_ids).await });
                (received, task)
            })
            .collect();
        for (received, mut task) in tasks {
            // A task that panicked fails its own messages, for now; they are tried again later.
            let panicked = Ending::Tried(Outcome::Retry { failure: Failure::Panic, after: None });
            let ends = match task.join_next().await {
                Some(Ok(ends)) => ends,
                _ => vec![panicked; received.len()],
            };
            self.watcher.tell(|| attempt(began, stopwatch.elapsed(), &received, &ends));
            endings.extend(received.into_iter().zip(ends));
        }
        self.settle(endings).await
    }

    /// The messages by the name of their token, and those that there is none for.
    async fn grouped(
        &self,
        messages: Vec<(Received, String)>,
    ) -> (BTreeMap<String, Group>, Vec<(Received, Ending)>) {
        let (mut groups, mut refused) = (BTreeMap::<String, Group>::new(), Vec::new());
        let write_key = |received: &Received| {
            received.attributes.get(WRITE_KEY).map_or_else(|| DEFAULT.to_owned(), String::clone)
        };
        let mut known = self.tokens.get().await;
        let is_named = |tokens: &Arc<Tokens>| {
            messages.iter().all(|(received, _)| tokens.name_for(&write_key(received)).is_some())
        };
        if !known.as_ref().is_ok_and(is_named) {
            // It may have been added to the secret since that was read.
            known = self.tokens.refreshed().await;
        }
        if let Err(error) = &known {
            tracing::warn!(error = %Chain(error), "There is no Public API token; deletions wait.");
        }
        for (received, user_id) in messages {
            match name(&known, &write_key(&received)) {
                Ok(name) => {
                    let group = groups.entry(name).or_default();
                    group.received.push(received);
                    group.user_ids.push(user_id);
                }
                Err(outcome) => refused.push((received, Ending::Tried(outcome))),
            }
        }
        (groups, refused)
    }
}

/// The name of the token for a write key. A secret that cannot be read, or not be understood, is not yet a reason to
/// give a message up: it is mended without touching the messages.
fn name(tokens: &Result<Arc<Tokens>, SecretError>, write_key: &str) -> Result<String, Outcome> {
    match tokens {
        Ok(tokens) => {
            let name = tokens.name_for(write_key).map(str::to_owned);
            name.ok_or(Outcome::Rejected(Failure::NoToken))
        }
        Err(_) => Err(Outcome::Retry { failure: Failure::TokenUnavailable, after: None }),
    }
}

/// The attempt as whoever watches sees it.
fn attempt(began: Timestamp, took: Duration, received: &[Received], endings: &[Ending]) -> Attempt {
    let end = |(received, ending): (&Received, &Ending)| {
        let Ending::Tried(outcome) = ending else { return None };
        let message = Message::from_json(received.body.as_bytes()).ok()?;
        Some(End::at_segment(message.message_id(), outcome))
    };
    let ends = received.iter().zip(endings).filter_map(end).collect();
    Attempt { destination: DESTINATION.to_owned(), began, took, request: None, ends }
}
