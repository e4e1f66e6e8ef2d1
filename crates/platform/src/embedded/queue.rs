//! A queue: messages hide while they are worked on and come back unless they are deleted.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{Store, StoreError};
use crate::{
    queue::{Entry, Place, Queue, QueueError, Received, Replacement},
    topic::Attributes,
};

/// How often a message is handed out without being put back or deleted before it goes to the dead-letter
/// queue: it is killing whoever handles it. The SQS redrive policy in `template.yaml` says the same.
pub const MAX_RECEIVE_COUNT: u32 = 10;

/// The longest pause before a consumer looks again, whatever the clock says.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// A queue of the embedded store.
#[derive(Clone)]
pub struct EmbeddedQueue {
    pub(super) store: Store,
    pub(super) name: &'static str,
}

impl EmbeddedQueue {
    pub(super) fn new(store: Store, name: &'static str) -> Self {
        Self { store, name }
    }

    /// Takes up to `most` visible messages, oldest first, and hides them for `visibility`.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; no message is lost by it.
    pub async fn receive(&self, most: u32, visibility: Duration) -> Result<Vec<Received>, StoreError> {
        let (name, dead_letter, now) = (self.name, self.dead_letter_name(), self.store.now());
        let until = now.saturating_add_unsigned(millis(visibility));
        self.store
            .run(move |connection| {
                let mut select = connection.prepare_cached(
                    "SELECT id, body, attributes, sent_at, receive_count FROM message
                     WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, id LIMIT ?3",
                )?;
                let mut hide = connection.prepare_cached(
                    "UPDATE message SET visible_at = ?2, receive_count = receive_count + 1, in_flight = 1 WHERE id = ?1",
                )?;
                let mut park = connection.prepare_cached(
                    "UPDATE message SET queue = ?2, receive_count = 0, in_flight = 0 WHERE id = ?1",
                )?;
                let visible: Vec<(i64, String, String, i64, u32)> = select
                    .query_map(params![name, now, most], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                    })?
                    .collect::<Result<_, _>>()?;
                let mut received = Vec::with_capacity(visible.len());
                for (id, body, attributes, sent_at, count) in visible {
                    if count >= MAX_RECEIVE_COUNT {
                        park.execute(params![id, dead_letter])?;
                        continue;
                    }
                    hide.execute(params![id, until])?;
                    received.push(Received {
                        id: format!("{id}/{}", count + 1),
                        body,
                        attributes: serde_json::from_str(&attributes).unwrap_or_default(),
                        sent_at: Timestamp::from_millisecond(sent_at).unwrap_or_default(),
                    });
                }
                Ok(received)
            })
            .await
    }

    /// Removes messages for good: they were delivered. One that came back meanwhile, because its visibility
    /// timeout ended, is somebody else's now and stays.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; the messages come back then.
    pub async fn delete(&self, ids: Vec<String>) -> Result<(), StoreError> {
        self.store.run(move |connection| take(connection, &ids).map(|_| ())).await
    }

    /// Has `handle` bring a batch that was received to its end, and deletes what it does not return as failed, as
    /// Lambda's SQS event source does. Returns what failed: that is handed out again.
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
        // What was replaced by something else is not there any more.
        self.delete(done).await?;
        Ok(failed)
    }

    /// Returns when there may be something to receive: a message arrived, or a delay ended.
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

    /// How many messages there are: visible, hidden and delayed ones.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn depth(&self) -> Result<u64, StoreError> {
        count(&self.store, self.name.to_owned()).await
    }

    async fn next_visible_at(&self) -> Result<Option<i64>, StoreError> {
        let name = self.name;
        let next = "SELECT MIN(visible_at) FROM message WHERE queue = ?1";
        self.store
            .run(move |connection| connection.prepare_cached(next)?.query_row([name], |row| row.get(0)))
            .await
    }

    pub(super) fn dead_letter_name(&self) -> String {
        format!("{}-dead-letter", self.name)
    }
}

impl Queue for EmbeddedQueue {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        let count = replacements.len();
        let (queue, dead_letter, now) = (self.name, self.dead_letter_name(), self.store.now());
        let replaced = self.store.run(move |connection| {
            for replacement in &replacements {
                if !take(connection, &replacement.received)? {
                    continue;
                }
                for Entry { body, attributes, place } in &replacement.entries {
                    let (queue, visible_at) = match place {
                        Place::Queue(delay) => (queue, now.saturating_add_unsigned(millis(*delay))),
                        Place::DeadLetter => (dead_letter.as_str(), now),
                    };
                    insert(connection, queue, body, attributes, now, visible_at)?;
                }
            }
            Ok(())
        });
        match replaced.await {
            Ok(()) => {
                self.store.arrived.notify_waiters();
                (0..count).map(|_| Ok(())).collect()
            }
            Err(error) => {
                let error = std::sync::Arc::new(error);
                (0..count).map(|_| Err(QueueError(Box::new(error.clone())))).collect()
            }
        }
    }
}

/// Removes messages that are received, and says whether there was any. One that came back meanwhile, because its
/// visibility timeout ended, is somebody else's now and stays.
fn take(connection: &Connection, received: &[String]) -> rusqlite::Result<bool> {
    let mut delete = connection.prepare_cached("DELETE FROM message WHERE id = ?1 AND receive_count = ?2")?;
    let mut taken = false;
    for (id, count) in received.iter().filter_map(|id| parse(id)) {
        taken |= delete.execute(params![id, count])? > 0;
    }
    Ok(taken)
}

pub(super) fn insert(
    connection: &Connection,
    queue: &str,
    body: &str,
    attributes: &Attributes,
    now: i64,
    visible_at: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO message (queue, body, attributes, sent_at, visible_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![queue, body, text(attributes), now, visible_at])?;
    Ok(())
}

pub(super) async fn count(store: &Store, queue: String) -> Result<u64, StoreError> {
    let count = "SELECT COUNT(*) FROM message WHERE queue = ?1";
    let count: i64 = store
        .run(move |connection| connection.prepare_cached(count)?.query_row([queue], |row| row.get(0)))
        .await?;
    Ok(count.unsigned_abs())
}

/// The row and the receive count that an id names: together they are SQS's receipt handle.
fn parse(id: &str) -> Option<(i64, u32)> {
    let (id, count) = id.split_once('/')?;
    Some((id.parse().ok()?, count.parse().ok()?))
}

fn text(attributes: &Attributes) -> String {
    // A map of strings always has a JSON form.
    serde_json::to_string(attributes).unwrap_or_default()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
