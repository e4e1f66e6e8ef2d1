//! The tables, the migration of earlier versions, and the cleanup at a start.

use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, damage};
use crate::delivery_state::{DUE, ENTERED, SINCE};

/// The version of the tables, in SQLite's `user_version`. Version 0.1.0 left 0 there.
const VERSION: i64 = 2;

/// AUTOINCREMENT: an id is never reused, so a consumer that held a message too long cannot touch another one.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS message (
        id            INTEGER PRIMARY KEY AUTOINCREMENT,
        queue         TEXT    NOT NULL,
        body          TEXT    NOT NULL,
        attributes    TEXT    NOT NULL,
        sent_at       INTEGER NOT NULL,
        visible_at    INTEGER NOT NULL,
        receive_count INTEGER NOT NULL DEFAULT 0,
        counted_at    INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS message_by_visibility ON message (queue, visible_at, id);
    CREATE TABLE IF NOT EXISTS in_flight (
        slot INTEGER PRIMARY KEY,
        ids  TEXT    NOT NULL
    );
    CREATE TABLE IF NOT EXISTS ledger (
        user       TEXT    PRIMARY KEY,
        confirmed  INTEGER NOT NULL,
        claimed_at TEXT    NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS quota (
        period     TEXT    PRIMARY KEY,
        used       INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS clock (
        moved_by INTEGER NOT NULL
    );
    INSERT INTO clock SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM clock);
";

/// Makes messages visible that an earlier version's process held. Their column `in_flight` stays, because SQLite would
/// copy the whole table to remove it. Nothing reads it after this.
const END_OLD_FLIGHTS: &str = "
    UPDATE message SET visible_at = sent_at WHERE in_flight = 1;
    DROP INDEX IF EXISTS message_in_flight;
";

/// A process that dies counts against the messages that it held at most once in this time, in milliseconds.
/// Ten deaths within seconds, as under a supervisor that restarts the process, thus dead-letter no message. A
/// message that crashes each consumer is dead-lettered after some minutes.
const COUNT_DEATHS_EVERY: i64 = 60_000;

/// The smallest change of the clock, in milliseconds, that moves messages.
pub(super) const NOTICEABLE: i64 = 2_000;

/// The largest change of the clock, in milliseconds: 100 years. A row with more is damaged.
const MOST: i64 = 100 * 366 * 24 * 60 * 60 * 1_000;

/// Creates the tables, or migrates those of an earlier version.
pub(super) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == VERSION {
        return Ok(());
    }
    if version > VERSION {
        return Err(StoreError::Newer);
    }
    let is_old = connection.table_exists(None, "message")?;
    let is_first = is_old && version == 0;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let migrated = (|| {
        if is_first {
            connection
                .execute_batch("ALTER TABLE message ADD COLUMN counted_at INTEGER NOT NULL DEFAULT 0")?;
        }
        if is_old {
            connection.execute_batch(END_OLD_FLIGHTS)?;
        }
        connection.execute_batch(TABLES)?;
        connection.pragma_update(None, "user_version", VERSION)?;
        connection.execute_batch("COMMIT")
    })();
    if let Err(error) = migrated {
        let _ = connection.execute_batch("ROLLBACK");
        return Err(error.into());
    }
    // Version 0.1.0 left delivered messages in pages that are free now. If there is no space to remove them,
    // the store starts anyway.
    if is_first && let Err(error) = connection.execute_batch("VACUUM") {
        tracing::warn!(%error, "Messages that an earlier version delivered may still be readable in the data directory; free some disk space and start again.");
    }
    Ok(())
}

/// Counts the death of a process against the messages that it held. If the clock was set while that process
/// ran, also moves the times of waiting messages: the process had kept to the clock that it started with.
pub(super) fn take_over(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let taken = (|| {
        let moved_by = connection.query_row("SELECT moved_by FROM clock", [], |row| damage::number(row, 0));
        let moved_by = moved_by.optional()?.flatten().unwrap_or(0);
        if moved_by != 0 {
            if (-MOST..=MOST).contains(&moved_by) {
                move_times(connection, moved_by)?;
            }
            connection.execute("UPDATE clock SET moved_by = 0", [])?;
        }
        connection.execute(
            "UPDATE message SET receive_count = receive_count + 1, counted_at = ?1
             WHERE abs(?1 - counted_at) >= ?2
               AND id IN (SELECT value FROM in_flight, json_each(iif(json_valid(ids), ids, '[]')))",
            params![now, COUNT_DEATHS_EVERY],
        )?;
        connection.execute("DELETE FROM in_flight", [])?;
        connection.execute_batch("COMMIT")
    })();
    if taken.is_err() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    taken
}

/// Moves the times in the columns, and the attributes that hold the process's time.
fn move_times(connection: &Connection, by: i64) -> rusqlite::Result<()> {
    let by_seconds = format!("{:+.3} seconds", by as f64 / 1000.0);
    connection.execute(
        "UPDATE message SET sent_at = sent_at + ?1, visible_at = visible_at + ?1,
           attributes = iif(json_valid(attributes), (
             SELECT json_group_object(key, iif(key IN (?3, ?4, ?5),
                      coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', value, ?2), value), value))
             FROM json_each(attributes)), attributes)
         WHERE queue NOT LIKE '%-dead-letter'",
        params![by, by_seconds, SINCE, ENTERED, DUE],
    )?;
    Ok(())
}
