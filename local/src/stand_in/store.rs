//! Stores the messages of the stand-in.

use platform::sqlite::{Store, StoreError, lossy};
use rusqlite::{Connection, params};

/// The most stored messages.
const MAX_MESSAGES: u32 = 10_000;

/// One message that the stand-in received.
#[derive(Clone, Debug)]
pub struct ReceivedMessage {
    /// The time of receipt, as ISO 8601.
    pub received_at: String,
    /// Its id, by which Segment detects duplicates.
    pub message_id: Option<String>,
    /// The message as JSON.
    pub message: String,
    /// The reason why Segment would silently drop it.
    pub dropped: Option<String>,
    /// The source that the page shows.
    pub source: Option<String>,
}

pub(super) async fn create(store: &Store) -> Result<(), StoreError> {
    let schema = "CREATE TABLE IF NOT EXISTS stand_in_message (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        received_at TEXT NOT NULL,
        message_id  TEXT UNIQUE,
        message     TEXT NOT NULL,
        dropped     TEXT,
        source      TEXT
    )";
    store.run(|connection| connection.execute_batch(schema)).await
}

/// Whether the table has the column `source`. A store of version 0.1.0 gets it with the next message, because a
/// start must not need to write: the disk may be full.
fn has_source(connection: &Connection) -> rusqlite::Result<bool> {
    let column = "SELECT 1 FROM pragma_table_info('stand_in_message') WHERE name = 'source'";
    connection.prepare_cached(column)?.exists([])
}

/// Stores the messages. A known message id is a duplicate and is dropped, as in Segment.
pub(super) async fn insert(store: &Store, entries: Vec<ReceivedMessage>) -> Result<(), StoreError> {
    store
        .run(move |connection| {
            if !has_source(connection)? {
                connection.execute_batch("ALTER TABLE stand_in_message ADD COLUMN source TEXT")?;
            }
            let mut insert = connection.prepare_cached(
                "INSERT INTO stand_in_message (received_at, message_id, message, dropped, source)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (message_id) DO NOTHING",
            )?;
            for entry in &entries {
                // A dropped message must not make a later valid one with the same id a duplicate.
                let message_id = entry.message_id.as_ref().filter(|_| entry.dropped.is_none());
                insert.execute(params![
                    entry.received_at,
                    message_id,
                    entry.message,
                    entry.dropped,
                    entry.source
                ])?;
            }
            let mut trim = connection.prepare_cached(
                "DELETE FROM stand_in_message WHERE id <= (SELECT MAX(id) FROM stand_in_message) - ?1",
            )?;
            trim.execute([MAX_MESSAGES])?;
            Ok(())
        })
        .await
}

pub(super) async fn newest(store: &Store, most: u32) -> Result<Vec<ReceivedMessage>, StoreError> {
    store
        .read(move |connection| {
            let source = if has_source(connection)? { "source" } else { "NULL" };
            let mut select = connection.prepare(&format!(
                "SELECT received_at, message_id, message, dropped, {source} FROM stand_in_message
                 ORDER BY id DESC LIMIT ?1"
            ))?;
            let rows = select.query_map([most], |row| {
                let text = |column| lossy(row, column);
                let or_none = |column| text(column).map(|text| Some(text).filter(|text| !text.is_empty()));
                Ok(ReceivedMessage {
                    received_at: text(0)?,
                    message_id: or_none(1)?,
                    message: text(2)?,
                    dropped: or_none(3)?,
                    source: or_none(4)?,
                })
            })?;
            rows.collect()
        })
        .await
}
