//! The tables, those of earlier versions, and what a start finds in them.

use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, damage};
use crate::delivery_state::{DUE, ENTERED, SINCE};

/// The version of the tables, in SQLite's `user_version`. 0.1.0 left 0 there.
const VERSION: i64 = 1;

/// AUTOINCREMENT: an id is never given to another message, so that a consumer that held one too long cannot touch that.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS message (
        id            INTEGER PRIMARY KEY AUTOINCREMENT,
        queue         TEXT    NOT NULL,
        body          TEXT    NOT NULL,
        attributes    TEXT    NOT NULL,
        sent_at       INTEGER NOT NULL,
        visible_at    INTEGER NOT NULL,
        receive_count INTEGER NOT NULL DEFAULT 0,
        in_flight     INTEGER NOT NULL DEFAULT 0,
        counted_at    INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX IF NOT EXISTS message_by_visibility ON message (queue, visible_at, id);
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

/// A process that died is counted against the messages that it had in hand once in so many milliseconds at most. So ten
/// deaths within seconds, as of a supervisor that restarts it, park none; a message that kills each consumer is
/// parked after some minutes.
const COUNT_DEATHS_EVERY: i64 = 60_000;

/// A clock that moved by less, in milliseconds, moves no message.
pub(super) const NOTICEABLE: i64 = 2_000;

/// No clock is moved by more than 100 years, in milliseconds: such a row is damaged.
const MOST: i64 = 100 * 366 * 24 * 60 * 60 * 1_000;

/// Makes the tables, or brings those of an earlier version up to date.
pub(super) fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        VERSION => return Ok(()),
        0 => {}
        _ => return Err(StoreError::Newer),
    }
    let is_old = connection.table_exists(None, "message")?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let migrated = (|| {
        if is_old {
            connection
                .execute_batch("ALTER TABLE message ADD COLUMN counted_at INTEGER NOT NULL DEFAULT 0")?;
        }
        connection.execute_batch(TABLES)?;
        connection.pragma_update(None, "user_version", VERSION)?;
        connection.execute_batch("COMMIT")
    })();
    if let Err(error) = migrated {
        let _ = connection.execute_batch("ROLLBACK");
        return Err(error.into());
    }
    // 0.1.0 left what it had delivered in pages that are free now. That this fails, for want of space, is no reason not
    // to start.
    if is_old && let Err(error) = connection.execute_batch("VACUUM") {
        tracing::warn!(%error, "What an earlier version delivered may still be readable in the data directory.");
    }
    Ok(())
}

/// Gives messages that a process had in hand when it ended to the next at once, and moves the times of all that wait
/// when the clock was moved while that process ran: it went on by the clock that it had begun with.
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
            "UPDATE message SET in_flight = 0, visible_at = ?1,
               receive_count = receive_count - (abs(?1 - counted_at) < ?2),
               counted_at = iif(abs(?1 - counted_at) < ?2, counted_at, ?1)
             WHERE in_flight = 1",
            params![now, COUNT_DEATHS_EVERY],
        )?;
        connection.execute_batch("COMMIT")
    })();
    if taken.is_err() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    taken
}

/// Moves the times in the columns, and those attributes that hold the time of the process.
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
