//! The dead-letter queue of a queue: listing, redrive and purge.

use rusqlite::{Connection, params, types::Value};

use super::{SqliteQueue, StoreError, damage, lossy, queue::count};
use crate::topic::Attributes;

/// The most messages in one transaction, and about their most bytes. A redrive of many messages thus takes
/// little memory, and a publisher waits for one slice only.
const SLICE: usize = 500;
const SLICE_BYTES: usize = 2 * 1024 * 1024;

/// About the most bytes of messages in one list.
pub(super) const MAX_LISTED_BYTES: usize = 32 * 1024 * 1024;

/// Adds the first rows to `all`, up to `most` bytes.
pub(super) fn up_to_bytes<T, R>(
    most: usize,
    rows: impl Iterator<Item = rusqlite::Result<R>>,
    size: impl Fn(&R) -> usize,
    mut all: T,
    mut add: impl FnMut(&mut T, R),
) -> rusqlite::Result<T> {
    let mut bytes = 0;
    for row in rows {
        let row = row?;
        bytes += size(&row);
        add(&mut all, row);
        if bytes >= most {
            break;
        }
    }
    Ok(all)
}

/// A message in a dead-letter queue.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The store's id of the message. No other message ever has it.
    pub id: i64,
    /// The message as JSON, or a list of messages that were sent together.
    pub body: String,
    /// The attributes that it was published with, and the reason of the failure.
    pub attributes: Attributes,
}

/// The messages of a dead-letter queue to look at.
#[derive(Clone, Debug)]
pub enum Selection {
    /// All messages that are in it now. Messages that arrive later stay.
    All,
    /// The messages with these ids, if they are in it.
    Ids(Vec<i64>),
}

/// How messages leave the dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Back into the source queue, as AWS's redrive does it.
    Redrive,
    /// Permanently.
    Purge,
}

/// The messages that are still to be looked at.
enum Cursor {
    /// All messages after this time and id that were there at the beginning. `last_id` and `began` mark the
    /// beginning: a message that fails again gets a new id, and one that is dead-lettered again gets a new
    /// time. Within one millisecond that may be the same time, so `left` limits the count.
    After {
        time: Value,
        id: i64,
        last_id: i64,
        began: i64,
        left: u64,
    },
    Ids(Vec<i64>),
}

impl SqliteQueue {
    /// Returns the number of messages in the dead-letter queue.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn dead_letter_depth(&self) -> Result<u64, StoreError> {
        count(&self.store, self.dead_letter_name()).await
    }

    /// Returns the newest messages of the dead-letter queue, oldest first: up to `most`, fewer if they are
    /// large.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn dead_letters(&self, most: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let mut letters = self.fold_dead_letters(most, Vec::new(), Vec::push).await?;
        letters.reverse();
        Ok(letters)
    }

    /// Adds the newest messages of the dead-letter queue to `all`, newest first: up to `most`, fewer if they are
    /// large. It adds them one by one, so they need not all be in memory.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn fold_dead_letters<T: Send + 'static>(
        &self,
        most: u32,
        all: T,
        add: impl FnMut(&mut T, DeadLetter) + Send + 'static,
    ) -> Result<T, StoreError> {
        let name = self.dead_letter_name();
        let order = "SELECT id, body, attributes FROM message WHERE queue = ?1
                     ORDER BY visible_at DESC, id DESC LIMIT ?2";
        self.store
            .read(move |connection| {
                let mut select = connection.prepare_cached(order)?;
                let newest = select.query_map(params![name, most], read)?;
                up_to_bytes(MAX_LISTED_BYTES, newest, |letter| letter.body.len(), all, add)
            })
            .await
    }

    /// Takes the messages in `letters` for which `wanted` is true out of the queue. Without a `way` they
    /// stay. Passes them to `taken`, slice by slice, and returns their number.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed. Messages that were passed to `taken` are out of the queue.
    pub async fn take_out(
        &self,
        letters: Selection,
        way: Option<Removal>,
        wanted: impl Fn(&DeadLetter) -> bool + Clone + Send + 'static,
        mut taken: impl FnMut(Vec<DeadLetter>),
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        let mut rest = Some(match letters {
            // The last id is taken first.
            Selection::Ids(ids) => Cursor::Ids(ids.into_iter().rev().collect()),
            Selection::All => Cursor::After {
                time: Value::Integer(i64::MIN),
                id: i64::MIN,
                last_id: self.last_id().await?,
                began: self.store.now(),
                left: self.dead_letter_depth().await?,
            },
        });
        while let Some(from) = rest {
            let (queue, name, now) = (self.name, self.dead_letter_name(), self.store.now());
            let wanted = wanted.clone();
            let (letters, next) = self
                .store
                .run(move |connection| {
                    let (mut letters, next) = slice(connection, &name, from)?;
                    letters.retain(wanted);
                    for letter in &letters {
                        match way {
                            None => {}
                            Some(Removal::Redrive) => move_back(connection, letter.id, queue, now)?,
                            Some(Removal::Purge) => delete(connection, letter.id)?,
                        }
                    }
                    Ok((letters, next))
                })
                .await?;
            if !letters.is_empty() {
                if way == Some(Removal::Redrive) {
                    self.store.arrived.notify_waiters();
                }
                count += letters.len();
                taken(letters);
            }
            rest = next;
        }
        Ok(count)
    }

    async fn last_id(&self) -> Result<i64, StoreError> {
        let last = "SELECT coalesce(max(id), 0) FROM message";
        self.store.read(move |connection| connection.query_row(last, [], |row| row.get(0))).await
    }
}

/// Returns the next messages to look at, and the rest.
fn slice(
    connection: &Connection,
    name: &str,
    from: Cursor,
) -> rusqlite::Result<(Vec<DeadLetter>, Option<Cursor>)> {
    let mut letters = Vec::new();
    match from {
        Cursor::Ids(mut ids) => {
            let mut select = connection
                .prepare_cached("SELECT id, body, attributes FROM message WHERE id = ?1 AND queue = ?2")?;
            let mut bytes = 0;
            while let Some(id) = ids.pop() {
                for letter in select.query_map(params![id, name], read)? {
                    let letter = letter?;
                    bytes += letter.body.len();
                    letters.push(letter);
                }
                if letters.len() == SLICE || bytes >= SLICE_BYTES {
                    return Ok((letters, Some(Cursor::Ids(ids))));
                }
            }
            Ok((letters, None))
        }
        Cursor::After { time, id, last_id, began, mut left } => {
            let mut select = connection.prepare_cached(
                "SELECT id, body, attributes, visible_at FROM message
                 WHERE queue = ?1 AND (visible_at, id) > (?2, ?3) ORDER BY visible_at, id",
            )?;
            let mut rows = select.query(params![name, time, id])?;
            let (mut looked_at, mut bytes) = (0, 0);
            while let Some(row) = rows.next()?.filter(|_| left > 0) {
                let letter = read(row)?;
                (looked_at, left) = (looked_at + 1, left - 1);
                bytes += letter.body.len();
                let (time, id) = (row.get(3)?, letter.id);
                if matches!(time, Value::Integer(time) if time > began) {
                    break;
                }
                let next = Cursor::After { time, id, last_id, began, left };
                if id <= last_id {
                    letters.push(letter);
                }
                if looked_at == SLICE || bytes >= SLICE_BYTES {
                    return Ok((letters, Some(next)));
                }
            }
            Ok((letters, None))
        }
    }
}

fn move_back(connection: &Connection, id: i64, queue: &str, now: i64) -> rusqlite::Result<()> {
    let back = "UPDATE message SET queue = ?2, visible_at = ?3, sent_at = ?3 WHERE id = ?1";
    connection.prepare_cached(back)?.execute(params![id, queue, now]).map(|_| ())
}

fn delete(connection: &Connection, id: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([id]).map(|_| ())
}

fn read(row: &rusqlite::Row) -> rusqlite::Result<DeadLetter> {
    let (Ok(attributes) | Err(attributes)) = damage::attributes(row, 2)?;
    Ok(DeadLetter { id: row.get(0)?, body: lossy(row, 1)?, attributes })
}
