//! The rejected queue. It is a separate table, so that the queues' code never meets it.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{Store, StoreError, damage, dead_letters::up_to_bytes, lossy};
use crate::rejected::{RETENTION, RejectedError, RejectedMessage, RejectedQueue};

/// The most messages that are kept: write keys in pages are public, and a disk is finite.
const MOST: u32 = 10_000;

/// About the most bytes of messages in one list.
const MAX_LISTED_BYTES: usize = 2 * 1024 * 1024;

/// The most messages that are removed in one transaction, because others wait for it.
const SLICE: u32 = 100;

/// Created with the first message, because the disk may be full when the store is opened. The page counts the
/// messages each second; the index makes that cheap.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS rejected_message (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    message     TEXT    NOT NULL,
    field       TEXT    NOT NULL,
    problem     TEXT    NOT NULL,
    write_key   TEXT    NOT NULL
);
CREATE INDEX IF NOT EXISTS rejected_message_by_time ON rejected_message (received_at)";

/// The rejected queue in SQLite. Cloning it is cheap.
#[derive(Clone)]
pub struct SqliteRejectedQueue {
    store: Store,
}

impl SqliteRejectedQueue {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Returns the number of messages.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn depth(&self) -> Result<u64, StoreError> {
        let (count, since) = ("SELECT count(*) FROM rejected_message WHERE received_at >= ?1", self.oldest());
        let depth = self.store.read(move |connection| match table_exists(connection)? {
            true => connection.query_row(count, [since], |row| row.get::<_, i64>(0)),
            false => Ok(0),
        });
        depth.await.map(i64::unsigned_abs)
    }

    /// Returns the newest messages, newest first: up to `most`, fewer if they are large.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn newest(&self, most: u32) -> Result<Vec<RejectedMessage>, StoreError> {
        // The plus sign makes SQLite keep the order of the ids. With the index of times it would read and
        // sort all messages.
        let order = "SELECT message, field, problem, write_key, received_at FROM rejected_message
                     WHERE +received_at >= ?1 ORDER BY id DESC LIMIT ?2";
        let since = self.oldest();
        self.store
            .read(move |connection| {
                if !table_exists(connection)? {
                    return Ok(Vec::new());
                }
                let mut select = connection.prepare_cached(order)?;
                let newest = select.query_map(params![since, most], read)?;
                up_to_bytes(MAX_LISTED_BYTES, newest, |message| message.text.len(), Vec::new(), Vec::push)
            })
            .await
    }

    /// Removes all messages permanently, including those that arrive in the meantime. Returns their number.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed.
    pub async fn purge(&self) -> Result<usize, StoreError> {
        let slice =
            "DELETE FROM rejected_message WHERE id IN (SELECT id FROM rejected_message ORDER BY id LIMIT ?1)";
        let mut purged = 0;
        loop {
            let gone = self.store.run(move |connection| match table_exists(connection)? {
                true => connection.prepare_cached(slice)?.execute([SLICE]),
                false => Ok(0),
            });
            match gone.await? {
                0 => return Ok(purged),
                gone => purged += gone,
            }
        }
    }

    /// Returns the time, in milliseconds, before which messages are too old.
    fn oldest(&self) -> i64 {
        self.store.clock.now().as_millisecond() - i64::try_from(RETENTION.as_millis()).unwrap_or(i64::MAX)
    }
}

impl RejectedQueue for SqliteRejectedQueue {
    async fn put(&self, messages: Vec<RejectedMessage>) -> Result<(), RejectedError> {
        let oldest = self.oldest();
        let put = self.store.accept(move |connection| {
            connection.execute_batch(TABLE)?;
            let mut insert = connection.prepare_cached(
                "INSERT INTO rejected_message (received_at, message, field, problem, write_key)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for message in &messages {
                let RejectedMessage { text, field, problem, write_key, received_at } = message;
                insert.execute(params![received_at.as_millisecond(), text, field, problem, write_key])?;
            }
            // Removes more messages than arrived, but never so many that others wait or that it needs much of
            // a full disk.
            let gone = "DELETE FROM rejected_message
                        WHERE id IN (SELECT id FROM rejected_message ORDER BY id LIMIT ?1)
                          AND (id <= (SELECT max(id) FROM rejected_message) - ?2 OR received_at < ?3)";
            let slice = messages.len() as u64 + u64::from(SLICE);
            let slice = i64::try_from(slice).unwrap_or(i64::MAX);
            connection.prepare_cached(gone)?.execute(params![slice, MOST, oldest]).map(|_| ())
        });
        put.await.map_err(|error| RejectedError(error.into()))
    }
}

fn table_exists(connection: &Connection) -> rusqlite::Result<bool> {
    connection.table_exists(None, "rejected_message")
}

fn read(row: &rusqlite::Row) -> rusqlite::Result<RejectedMessage> {
    let received_at = damage::number(row, 4)?.and_then(|at| Timestamp::from_millisecond(at).ok());
    Ok(RejectedMessage {
        text: lossy(row, 0)?,
        field: lossy(row, 1)?,
        problem: lossy(row, 2)?,
        write_key: lossy(row, 3)?,
        received_at: received_at.unwrap_or_default(),
    })
}
