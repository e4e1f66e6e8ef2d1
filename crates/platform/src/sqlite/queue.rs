//! A queue. A received message is hidden, and becomes visible again unless it is deleted.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::{
    Store, StoreError,
    condition::Severity,
    in_flight::{InFlight, Receipt},
    receive::{DeadLetterReason, Poll, PollResult, text},
    writer::{Purpose, Undo},
};
use crate::{
    queue::{Entry, MAX_DELAY, Queue, QueueError, Received, Replacement, TargetQueue},
    telemetry,
};

/// The longest pause before a consumer looks again, whatever the clock says.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// How many times the store tries, once a second, to delete or replace messages whose delivery is over.
const TRIES: u32 = 60;

/// A queue in SQLite.
#[derive(Clone)]
pub struct SqliteQueue {
    pub(super) store: Store,
    pub(super) name: &'static str,
}

impl SqliteQueue {
    pub(super) fn new(store: Store, name: &'static str) -> Self {
        Self { store, name }
    }

    /// Receives up to `most` visible messages, oldest first, and hides them for `visibility`. Messages that
    /// cannot be delivered go to the dead-letter queue instead.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed. No message is lost.
    pub async fn receive(&self, most: u32, visibility: Duration) -> Result<Vec<Received>, StoreError> {
        let (poll, in_flight) = (self.poll(visibility), &self.store.in_flight);
        let slot = in_flight.slot();
        let held = in_flight.clone();
        let polled = self.store.run(move |connection| poll.receive(connection, &held, slot, most)).await;
        match &polled {
            Ok(_) => in_flight.settle(slot),
            Err(_) => in_flight.cancel(slot),
        }
        let PollResult { received, dead_lettered } = polled?;
        self.log_dead_letters(dead_lettered);
        Ok(received)
    }

    /// Moves messages that are in none of the store's `queues` into the dead-letter queue. Their rows are
    /// damaged, and nothing else would ever find them.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn dead_letter_orphans(&self, queues: &[&str]) -> Result<(), StoreError> {
        let dead_letters = queues.iter().map(|name| dead_letter(name));
        let known: Vec<String> = queues.iter().map(|name| (*name).to_owned()).chain(dead_letters).collect();
        let poll = self.poll(Duration::ZERO);
        let dead_lettered =
            self.store.run(move |connection| poll.dead_letter_orphans(connection, &known)).await?;
        self.log_dead_letters(dead_lettered);
        Ok(())
    }

    fn poll(&self, visibility: Duration) -> Poll {
        let now = self.store.now();
        Poll {
            queue: self.name,
            dead_letter: self.dead_letter_name(),
            now,
            until: now.saturating_add_unsigned(millis(visibility)),
            too_late: now.saturating_add_unsigned(millis(visibility.max(MAX_DELAY))),
            today: self.store.clock.now(),
        }
    }

    fn log_dead_letters(&self, dead_lettered: Vec<(i64, DeadLetterReason)>) {
        for (id, reason) in dead_lettered {
            telemetry::dead_lettered(reason.failure, 1);
            tracing::warn!(
                queue = self.name,
                queue_id = id,
                reason = reason.reason,
                "A message went to the dead-letter queue."
            );
        }
    }

    /// Deletes delivered messages. A message that became visible again in the meantime, because its
    /// visibility timeout ended, may belong to another consumer and stays.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed. The messages then become visible again.
    pub async fn delete(&self, ids: Vec<String>) -> Result<(), StoreError> {
        let (in_flight, receipts) = (&self.store.in_flight, receipts(&ids));
        let (held, taken) = (in_flight.clone(), receipts.clone());
        let take = move |connection: &Connection| take(connection, &held, &taken).map(|_| ());
        self.store.writer.run(Purpose::Deliver, Undo::Transaction, take).await?;
        in_flight.release(&receipts);
        Ok(())
    }

    /// Lets `handle` process a batch of received messages. Then deletes the ones that `handle` does not
    /// return as failed, as Lambda's SQS event source does. Returns the failed ones, which become visible
    /// again.
    ///
    /// # Errors
    /// As for [`delete`](Self::delete).
    pub async fn consume<F: Future<Output = Vec<String>>>(
        &self,
        received: Vec<Received>,
        handle: impl FnOnce(Vec<Received>) -> F,
    ) -> Result<Vec<String>, StoreError> {
        let mut done: Vec<String> = received.iter().map(|message| message.id.clone()).collect();
        let failed = handle(received).await;
        done.retain(|id| !failed.contains(id));
        // Replaced messages are deleted already.
        let deleted = self.retry_failed(done, |part| self.delete(part)).await;
        deleted.into_iter().try_for_each(|deleted| deleted)?;
        Ok(failed)
    }

    /// Runs `work` on all items, and again on those for which it failed: a disk that fails for a while must
    /// not cause messages to be delivered again. Returns a result for each item.
    async fn retry_failed<T: Clone, F: Future<Output = Result<(), StoreError>>>(
        &self,
        items: Vec<T>,
        work: impl Fn(Vec<T>) -> F,
    ) -> Vec<Result<(), StoreError>> {
        let mut ended: Vec<Result<(), StoreError>> = vec![Ok(()); items.len()];
        let mut left: Vec<(usize, T)> = items.into_iter().enumerate().collect();
        for tries in 1.. {
            let mut failed = Vec::new();
            for ((index, item), result) in
                in_halves(left, |part| work(part.into_iter().map(|(_, item)| item).collect())).await
            {
                let again = result.as_ref().is_err_and(|error| error.severity() != Severity::Fatal);
                ended[index] = result;
                if again {
                    failed.push((index, item));
                }
            }
            if failed.is_empty() || tries == TRIES {
                break;
            }
            left = failed;
            self.store.clock.sleep(MAX_PAUSE).await;
        }
        ended
    }

    /// Returns when there may be a message to receive: one arrived, or a delay ended.
    pub async fn ready(&self) {
        let arrived = self.store.arrived.notified();
        let pause = match self.next_visible_at().await {
            Ok(Some(at)) => Duration::from_millis(u64::try_from(at - self.store.now()).unwrap_or(0)),
            _ => MAX_PAUSE,
        };
        tokio::select! {
            () = arrived => {}
            () = self.store.clock.sleep(pause.min(MAX_PAUSE)) => {}
        }
    }

    /// Returns the number of messages: visible, hidden and delayed ones.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn depth(&self) -> Result<u64, StoreError> {
        count(&self.store, self.name.to_owned()).await
    }

    async fn next_visible_at(&self) -> Result<Option<i64>, StoreError> {
        let (name, in_flight) = (self.name, self.store.in_flight.clone());
        let next = "SELECT id, visible_at FROM message WHERE queue = ?1 ORDER BY visible_at, id";
        let next = self.store.read(move |connection| {
            let mut select = connection.prepare_cached(next)?;
            let mut rows = select.query([name])?;
            let mut next = in_flight.next_visible_at(name);
            while let Some(row) = rows.next()? {
                if in_flight.get(row.get(0)?).is_none() {
                    let visible_at = row.get(1)?;
                    next = Some(next.map_or(visible_at, |next| next.min(visible_at)));
                    break;
                }
            }
            Ok(next)
        });
        next.await
    }

    pub(super) fn dead_letter_name(&self) -> String {
        dead_letter(self.name)
    }
}

fn dead_letter(queue: &str) -> String {
    format!("{queue}-dead-letter")
}

impl Queue for SqliteQueue {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        let replaced = self.retry_failed(replacements, |part| self.replace_all(part)).await;
        self.store.arrived.notify_waiters();
        replaced.into_iter().map(|result| result.map_err(|error| QueueError(Box::new(error)))).collect()
    }
}

impl SqliteQueue {
    async fn replace_all(&self, replacements: Vec<Replacement>) -> Result<(), StoreError> {
        let (queue, dead_letter, now) = (self.name, self.dead_letter_name(), self.store.now());
        let in_flight = &self.store.in_flight;
        let replacements: Vec<(Vec<Receipt>, Vec<Entry>)> =
            replacements.into_iter().map(|one| (receipts(&one.received), one.entries)).collect();
        let released: Vec<Receipt> =
            replacements.iter().flat_map(|(receipts, _)| receipts).copied().collect();
        let held = in_flight.clone();
        let replaced = self.store.run(move |connection| {
            for (receipts, entries) in &replacements {
                if !take(connection, &held, receipts)? {
                    continue;
                }
                for Entry { body, attributes, target } in entries {
                    let (queue, visible_at) = match target {
                        TargetQueue::Source(delay) => {
                            (queue, now.saturating_add_unsigned(millis(*delay.min(&MAX_DELAY))))
                        }
                        TargetQueue::DeadLetter => (dead_letter.as_str(), now),
                    };
                    insert(connection, queue, body, &text(attributes), now, visible_at)?;
                }
            }
            Ok(())
        });
        replaced.await?;
        in_flight.release(&released);
        Ok(())
    }
}

/// Runs `work` on all items in one transaction. If the disk has no room for all of them, tries each half by
/// itself. Returns a result for each item.
async fn in_halves<T: Clone, F: Future<Output = Result<(), StoreError>>>(
    items: Vec<T>,
    work: impl Fn(Vec<T>) -> F,
) -> Vec<(T, Result<(), StoreError>)> {
    let mut ended = Vec::with_capacity(items.len());
    let mut parts = vec![items];
    while let Some(mut part) = parts.pop() {
        match work(part.clone()).await {
            Err(error) if error.severity() == Severity::Full && part.len() > 1 => {
                parts.push(part.split_off(part.len() / 2));
                parts.push(part);
            }
            result => ended.extend(part.into_iter().map(|item| (item, result.clone()))),
        }
    }
    ended
}

/// Deletes received messages. Returns whether there was any. A message that became visible again in the
/// meantime may belong to another consumer and stays.
fn take(connection: &Connection, in_flight: &InFlight, receipts: &[Receipt]) -> rusqlite::Result<bool> {
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE id = ?1")?;
    let mut taken = false;
    for receipt in receipts.iter().filter(|receipt| in_flight.is_held(**receipt)) {
        taken |= delete.execute([receipt.0])? > 0;
    }
    Ok(taken)
}

pub(super) fn insert(
    connection: &Connection,
    queue: &str,
    body: &str,
    attributes: &str,
    now: i64,
    visible_at: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO message (queue, body, attributes, sent_at, visible_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![queue, body, attributes, now, visible_at])?;
    Ok(())
}

pub(super) async fn count(store: &Store, queue: String) -> Result<u64, StoreError> {
    let count = "SELECT COUNT(*) FROM message WHERE queue = ?1";
    let count: i64 = store
        .read(move |connection| connection.prepare_cached(count)?.query_row([queue], |row| row.get(0)))
        .await?;
    Ok(count.unsigned_abs())
}

/// Returns the receipts of received messages from their ids.
fn receipts(ids: &[String]) -> Vec<Receipt> {
    let parse = |id: &String| {
        let (id, count) = id.split_once('/')?;
        Some((id.parse().ok()?, count.parse().ok()?))
    };
    ids.iter().filter_map(parse).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
