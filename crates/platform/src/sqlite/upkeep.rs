//! The writer thread's regular tasks. It checks the log, the reserve, the place of the files and the clock,
//! and detects when a failed disk can be written again.

use std::{
    ffi::CStr,
    io::{self, ErrorKind},
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use rusqlite::{Connection, wal::CheckpointMode};

use super::{
    StoreError,
    condition::{Condition, Refusal, Severity, SharedCondition},
    directory::Directory,
    reserve::{self, Reserve},
    schema::{self, NOTICEABLE},
};
use crate::{clock::SharedClock, telemetry::Chain};

/// The number of log pages of 4 KB that are written to the database together. Most messages are deleted
/// before that, so there is little to write: 32 MB seldom delay a publish.
const MAX_LOG_PAGES: u64 = 8_000;

/// The same number while the disk is full. Other programs may then take any space at any time, and the
/// database might not be able to grow later.
const MAX_LOG_PAGES_IN_TROUBLE: u64 = 1;

const PAGE: u64 = 4_096;

/// A database of at most this many pages (4 MB) can be copied in no time.
const SMALL: i64 = 1_024;

/// A database of at most this many pages (512 KB) has no backlog, which would need the log's space.
const EMPTY: i64 = 128;

/// The bytes that must be free beside the reserve before messages are accepted into the store's own space.
/// With less, the next few messages would fill the disk again.
const ROOM_FOR_MESSAGES: u64 = 1024 * 1024;

/// How long the log may hold deleted content: while the store is idle, and while it is busy.
const EMPTY_WHEN_IDLE: Duration = Duration::from_secs(10);
const EMPTY_AT_WORK: Duration = Duration::from_secs(60);

/// How often the log is emptied while the disk is full.
const RESTART_LOG_EVERY: Duration = Duration::from_millis(500);

/// How often a failed disk is tried again.
const TRY_AGAIN_EVERY: Duration = Duration::from_secs(3);

/// The regular tasks and their state.
pub(super) struct Upkeep {
    directory: Directory,
    reserve: Reserve,
    clock: SharedClock,
    /// The time by which the time of day is ahead of the steady time, and whether it still has to be saved.
    lead: SignedDuration,
    lead_unsaved: bool,
    /// Since when the log has content.
    log_used_since: Option<Instant>,
    committed_at: Instant,
    /// The number of changed rows so far.
    changes: u64,
    tried_at: Instant,
    log_restarted_at: Instant,
}

impl Upkeep {
    /// Returns the upkeep of a store that was just opened in `directory`.
    pub(super) fn new(directory: Directory, clock: SharedClock) -> Result<Self, StoreError> {
        let (now, reserve) = (Instant::now(), directory.reserve()?);
        Ok(Self {
            directory,
            reserve,
            clock,
            lead: SignedDuration::ZERO,
            lead_unsaved: false,
            log_used_since: Some(now),
            committed_at: now,
            changes: 0,
            tried_at: now,
            log_restarted_at: now,
        })
    }

    /// Takes over the messages of an earlier process. A full disk must not prevent the start, so the reserve
    /// is given up. If that does not help, a death of that process does not count.
    pub(super) fn take_over(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let now = self.clock.steady().as_millisecond();
        let mut taken = schema::take_over(connection, now).map_err(StoreError::from);
        if taken.is_err() {
            self.reserve.give_up();
            // If this fails too, the next call reports it.
            let _ = restart_log(connection);
            taken = schema::take_over(connection, now).map_err(StoreError::from);
        }
        match taken {
            Err(error) if matches!(error.severity(), Severity::Full | Severity::Write) => {
                tracing::warn!(
                    error = %Chain(&error),
                    "If the earlier process died, its death does not count against the messages that it was delivering."
                );
                Ok(())
            }
            taken => taken,
        }
    }

    /// Remembers which files are open.
    pub(super) fn remember_files(&mut self) {
        self.directory.remember_files();
    }

    /// Runs the tasks of every second.
    pub(super) fn every_second(
        &mut self,
        connection: &Connection,
        condition: &SharedCondition,
    ) -> Result<(), StoreError> {
        self.watch_clock();
        self.is_in_place(condition);
        if matches!(condition.get(), Condition::Refusing(Refusal::Full | Refusal::Write(_))) {
            return self.try_again(connection, condition);
        }
        self.save_clock(connection)?;
        self.reserve.cover(0).map_err(reserve_error)?;
        let is_due = self.log_used_since.is_some_and(|since| {
            self.committed_at.elapsed() >= EMPTY_WHEN_IDLE || since.elapsed() >= EMPTY_AT_WORK
        });
        if is_due { self.empty_log(connection) } else { Ok(()) }
    }

    /// Runs the tasks after a commit, when all callers have an answer.
    pub(super) fn after_commit(
        &mut self,
        connection: &Connection,
        condition: &SharedCondition,
    ) -> Result<(), StoreError> {
        let changes = connection.total_changes();
        if changes == self.changes {
            // Consumers look every second and usually find nothing.
            return Ok(());
        }
        self.changes = changes;
        let pages = checkpoint(connection, CheckpointMode::NOOP)?;
        self.committed_at = Instant::now();
        self.log_used_since.get_or_insert(self.committed_at);
        let is_well = matches!(condition.get(), Condition::Accepting);
        if pages >= if is_well { MAX_LOG_PAGES } else { MAX_LOG_PAGES_IN_TROUBLE } {
            // The log keeps its size: overwriting it is faster than growing it.
            checkpoint(connection, CheckpointMode::PASSIVE)?;
        }
        if is_well {
            self.reserve.cover(pages * PAGE).map_err(reserve_error)?;
        }
        Ok(())
    }

    /// Handles a failed write. Gives up the reserve and, with its space, writes the log from its beginning,
    /// so that stored messages can be delivered.
    pub(super) fn handle_failed_write(
        &mut self,
        connection: &Connection,
        condition: &SharedCondition,
        error: &StoreError,
    ) -> Result<(), StoreError> {
        let refusal = match error {
            StoreError::Refused(refusal) => refusal.clone(),
            StoreError::Damaged(cause) => Refusal::Damaged(cause.clone()),
            StoreError::Sqlite(cause) if error.severity() == Severity::Write => Refusal::Write(cause.clone()),
            _ => Refusal::Full,
        };
        if matches!(condition.get(), Condition::Accepting) {
            tracing::error!(reason = %Chain(&refusal), "No message is accepted for now.");
        }
        let is_damaged = matches!(refusal, Refusal::Damaged(_));
        if !matches!(condition.get(), Condition::Refusing(Refusal::Moved | Refusal::Damaged(_))) {
            condition.set(Condition::Refusing(refusal));
        }
        if is_damaged {
            return Ok(());
        }
        if self.reserve.give_up() {
            restart_log(connection)?;
            return claim_space(connection);
        }
        if self.log_restarted_at.elapsed() >= RESTART_LOG_EVERY {
            self.log_restarted_at = Instant::now();
            return restart_log(connection);
        }
        Ok(())
    }

    /// Accepts messages again if all necessary operations work.
    fn try_again(&mut self, connection: &Connection, condition: &SharedCondition) -> Result<(), StoreError> {
        if self.tried_at.elapsed() < TRY_AGAIN_EVERY {
            return Ok(());
        }
        self.tried_at = Instant::now();
        let works = restart_log(connection).and_then(|()| {
            if self.reserve.cover(0).is_err() {
                self.give_back(connection)?;
                self.reserve.cover(0).map_err(reserve_error)?;
            }
            self.lead_unsaved = true;
            self.save_clock(connection)
        });
        match works {
            Err(error) if error.severity() == Severity::Fatal => return Err(error),
            // The reason is logged already.
            Err(_) => {
                self.reserve.give_up();
                return Ok(());
            }
            Ok(()) => {}
        }
        condition.set(Condition::Accepting);
        self.is_in_place(condition);
        tracing::info!("The disk can be written again; messages are accepted.");
        Ok(())
    }

    /// Shrinks the store's own files to make room for the reserve. Compacts a database that is nearly empty,
    /// and empties a log that is larger than the reserve. A backlog keeps its log, because others could take
    /// the space and nothing could be delivered.
    fn give_back(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let (all, free) = (number("page_count")?, number("freelist_count")?);
        let (used, log) = (all - free, self.directory.log_size());
        let is_enough = free.unsigned_abs() * PAGE + log >= self.reserve.missing() + ROOM_FOR_MESSAGES;
        if (used <= EMPTY && is_enough) || (used <= SMALL && free > SMALL) {
            connection.execute_batch("VACUUM")?;
            return self.empty_log(connection);
        }
        if log >= reserve::LEAST + reserve::LEAST / 4 {
            return self.empty_log(connection);
        }
        Ok(())
    }

    /// Whether a restart would find the stored messages.
    pub(super) fn is_in_place(&self, condition: &SharedCondition) -> bool {
        let in_place = self.directory.is_in_place();
        match (in_place, condition.get()) {
            (false, Condition::Accepting) => {
                tracing::error!(reason = %Refusal::Moved, "No message is accepted for now.");
                condition.set(Condition::Refusing(Refusal::Moved));
            }
            (true, Condition::Refusing(Refusal::Moved)) => {
                tracing::info!("The data directory is back; messages are accepted.");
                condition.set(Condition::Accepting);
            }
            _ => {}
        }
        in_place
    }

    /// Moves everything into the database and empties the log. After that, no file holds deleted content.
    fn empty_log(&mut self, connection: &Connection) -> Result<(), StoreError> {
        checkpoint(connection, CheckpointMode::TRUNCATE)?;
        self.log_used_since = None;
        Ok(())
    }

    /// Empties the log and closes the connection, which removes the log. Then refills the reserve, so that
    /// the next start has room for a new log even on a full disk.
    pub(super) fn close(&mut self, connection: Connection) {
        if let Err(error) = self.empty_log(&connection) {
            tracing::warn!(error = %Chain(&error), "The log of the store could not be emptied.");
        }
        drop(connection);
        let _ = self.reserve.cover(0);
    }

    fn watch_clock(&mut self) {
        let lead = self.clock.now().duration_since(self.clock.steady());
        let by = lead - self.lead;
        if by.abs() >= SignedDuration::from_millis(NOTICEABLE) {
            let (seconds, direction) = (by.abs().as_secs(), if by.is_negative() { "back" } else { "ahead" });
            tracing::warn!(
                seconds,
                direction,
                "The clock of this machine was set, or the machine slept. Waits and retries go on as if it had not been."
            );
            (self.lead, self.lead_unsaved) = (lead, true);
        }
    }

    /// Saves how far the clock was moved, for the next start.
    fn save_clock(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if self.lead_unsaved {
            let moved_by = i64::try_from(self.lead.as_millis()).unwrap_or_default();
            let moved_by = if moved_by.abs() < NOTICEABLE { 0 } else { moved_by };
            connection.prepare_cached("UPDATE clock SET moved_by = ?1")?.execute([moved_by])?;
            self.lead_unsaved = false;
            self.log_used_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }
}

/// Moves everything into the database, so that the log is written from its beginning. The log keeps its size:
/// on a full disk its space belongs to the store.
fn restart_log(connection: &Connection) -> Result<(), StoreError> {
    checkpoint(connection, CheckpointMode::RESTART).map(|_| ())
}

/// Moves pages from the log into the database, as `mode` says. Returns the number of pages in the log. (A
/// pragma would do the same, but SQLite prepares pragmas anew each time.)
fn checkpoint(connection: &Connection, mode: CheckpointMode) -> Result<u64, StoreError> {
    let (pages, _) = connection.wal_checkpoint_v2(None::<&CStr>, mode)?;
    Ok(pages.try_into().unwrap_or(0))
}

/// Turns a part of the reserve into free pages of the database and the log, which no other program can take.
fn claim_space(connection: &Connection) -> Result<(), StoreError> {
    let taken = connection.execute_batch(
        "BEGIN IMMEDIATE; CREATE TABLE space (bytes BLOB); INSERT INTO space VALUES (zeroblob(2097152));
         DROP TABLE space; COMMIT",
    );
    if taken.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    taken?;
    restart_log(connection)
}

/// Returns the error for a reserve that cannot be created: the disk is full or cannot be written.
fn reserve_error(error: io::Error) -> StoreError {
    StoreError::Refused(match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Refusal::Full,
        _ => Refusal::Write(Arc::new(error)),
    })
}
