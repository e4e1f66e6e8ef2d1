//! The waiting messages of a queue, for people.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::params;
use segment::timestamp;
use serde_json::Value;

use super::{
    SqliteQueue, StoreError, damage,
    dead_letters::{MAX_LISTED_BYTES, up_to_bytes},
    lossy,
};
use crate::{
    delivery_state::{self, ENTERED, SINCE},
    topic::Attributes,
};

/// How many messages are searched for the oldest one: those that are due first. Searching a backlog of
/// millions would delay publishers.
const LOOKED_AT: u32 = 10_000;

/// A message that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The message as JSON, or a list of messages that were sent together.
    pub body: String,
    /// The attributes: those that it was published with, and those that earlier attempts left.
    pub attributes: Attributes,
    /// When it was put into the queue.
    pub sent_at: Timestamp,
    /// When it becomes visible next.
    pub due: Timestamp,
}

impl SqliteQueue {
    /// Adds the messages of the queue that become visible last to `all`, the last one first: those that wait for a retry,
    /// then the newest. Up to `most`, fewer if they are large. It adds them one by one, so they need not all be in memory.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn fold_waiting<T: Send + 'static>(
        &self,
        most: u32,
        all: T,
        add: impl FnMut(&mut T, Waiting) + Send + 'static,
    ) -> Result<T, StoreError> {
        let name = self.name;
        // People read the time of day.
        let lead = self.store.clock.now().duration_since(self.store.clock.steady());
        let order = "SELECT body, attributes, sent_at, visible_at FROM message WHERE queue = ?1
                     ORDER BY visible_at DESC, id DESC LIMIT ?2";
        let read = move |row: &rusqlite::Row| {
            let (Ok(attributes) | Err(attributes)) = damage::attributes(row, 1)?;
            let time = |column| {
                let at = Timestamp::from_millisecond(damage::number(row, column)?.unwrap_or_default());
                Ok::<_, rusqlite::Error>(at.unwrap_or_default().saturating_add(lead).unwrap_or_default())
            };
            Ok(Waiting { body: lossy(row, 0)?, attributes, sent_at: time(2)?, due: time(3)? })
        };
        self.store
            .read(move |connection| {
                let mut select = connection.prepare_cached(order)?;
                let waiting = select.query_map(params![name, most], read)?;
                up_to_bytes(MAX_LISTED_BYTES, waiting, |waiting: &Waiting| waiting.body.len(), all, add)
            })
            .await
    }

    /// Returns how long ago the oldest message entered the queue, or `None` if the queue is empty. In a long
    /// queue, it looks only at the 10,000 messages that are due first.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn oldest_age(&self) -> Result<Option<Duration>, StoreError> {
        let name = self.name;
        // For the queue, a message that was put back is a new one. Its attributes say since when it waits.
        let oldest = "SELECT MIN(COALESCE(entered_at, since)), MIN(sent_at)
                      FROM (SELECT sent_at, iif(json_valid(attributes), attributes ->> ?3, NULL) AS entered_at,
                              iif(json_valid(attributes), attributes ->> ?4, NULL) AS since
                            FROM message WHERE queue = ?1 ORDER BY visible_at LIMIT ?2)";
        let (entered, sent_at): (Option<String>, Option<i64>) = self
            .store
            .read(move |connection| {
                let mut select = connection.prepare_cached(oldest)?;
                select.query_row(params![name, LOOKED_AT, ENTERED, SINCE], |row| {
                    Ok((damage::text(row, 0)?, damage::number(row, 1)?))
                })
            })
            .await?;
        let entered = entered.and_then(|text| timestamp::parse(&Value::String(text)));
        let sent_at = sent_at.and_then(|sent_at| Timestamp::from_millisecond(sent_at).ok());
        let now = self.store.clock.steady();
        Ok(entered.into_iter().chain(sent_at).min().map(|at| delivery_state::age(at, now)))
    }
}
