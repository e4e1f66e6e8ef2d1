//! The chores of the thread that writes: it looks after the log, the reserve, the place of the files and the
//! clock, and finds out when a disk that failed can be written again.

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

/// So many pages of 4 KB in the log are written to the database. Most messages are gone before that, so there is little to
/// write then: 32 MB seldom hold up a publish.
const MAX_LOG_PAGES: u64 = 8_000;

/// The same while the disk is full. Then others may take any space at any time, and what the database still has to grow by
/// could not be written any more.
const MAX_LOG_PAGES_IN_TROUBLE: u64 = 1;

const PAGE: u64 = 4_096;

/// So many pages, 4 MB, of a database are copied in no time.
const SMALL: i64 = 1_024;

/// How long the log may hold what was deleted from the database, in a pause of the work and at work.
const EMPTY_WHEN_IDLE: Duration = Duration::from_secs(10);
const EMPTY_AT_WORK: Duration = Duration::from_secs(60);

/// How often, while the disk is full, it is tried to make room in the log.
const BEGIN_ANEW: Duration = Duration::from_millis(500);

/// How often a disk that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(3);

/// Everything that is looked after.
pub(super) struct Upkeep {
    directory: Directory,
    reserve: Reserve,
    clock: SharedClock,
    /// How far the time of day is ahead of the steady time, and whether that is still to be written down.
    lead: SignedDuration,
    lead_unsaved: bool,
    /// Since when the log holds anything.
    log_used_since: Option<Instant>,
    committed_at: Instant,
    /// How many changes of rows there were.
    changes: u64,
    tried_at: Instant,
    begun_anew_at: Instant,
}

impl Upkeep {
    /// The upkeep of a store that was just opened in `directory`.
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
            begun_anew_at: now,
        })
    }

    /// Takes over what an earlier process left. A full disk is no reason not to start: the reserve is given up. Where that
    /// does not help, messages wait until their visibility timeout ends.
    pub(super) fn take_over(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let now = self.clock.steady().as_millisecond();
        let mut taken = schema::take_over(connection, now).map_err(StoreError::from);
        if taken.is_err() {
            self.reserve.give_up();
            // That this fails too is seen below.
            let _ = begin_log_anew(connection);
            taken = schema::take_over(connection, now).map_err(StoreError::from);
        }
        match taken {
            Err(error) if matches!(error.severity(), Severity::Full | Severity::Write) => {
                tracing::warn!(
                    error = %Chain(&error),
                    "Messages that an earlier process was delivering wait until their visibility timeout ends."
                );
                Ok(())
            }
            taken => taken,
        }
    }

    /// Remembers which files are open.
    pub(super) fn opened(&mut self) {
        self.directory.opened();
    }

    /// The chores of every second.
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
        self.reserve.cover(0).map_err(no_reserve)?;
        let is_due = self.log_used_since.is_some_and(|since| {
            self.committed_at.elapsed() >= EMPTY_WHEN_IDLE || since.elapsed() >= EMPTY_AT_WORK
        });
        if is_due { self.empty_log(connection) } else { Ok(()) }
    }

    /// The chores after a commit, when everybody has an answer.
    pub(super) fn after_commit(
        &mut self,
        connection: &Connection,
        condition: &SharedCondition,
    ) -> Result<(), StoreError> {
        let changes = connection.total_changes();
        if changes == self.changes {
            // Consumers look every second, and mostly find nothing.
            return Ok(());
        }
        self.changes = changes;
        let pages = checkpoint(connection, CheckpointMode::NOOP)?;
        self.committed_at = Instant::now();
        self.log_used_since.get_or_insert(self.committed_at);
        let is_well = matches!(condition.get(), Condition::Accepting);
        if pages >= if is_well { MAX_LOG_PAGES } else { MAX_LOG_PAGES_IN_TROUBLE } {
            // The log stays as large as it is: to write it anew is faster than to make it longer.
            checkpoint(connection, CheckpointMode::PASSIVE)?;
        }
        if is_well {
            self.reserve.cover(pages * PAGE).map_err(no_reserve)?;
        }
        Ok(())
    }

    /// A write failed. The reserve is given up, and with its space the log begins anew, so that what there is can be
    /// delivered.
    pub(super) fn in_trouble(
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
            begin_log_anew(connection)?;
            return take_space(connection);
        }
        if self.begun_anew_at.elapsed() >= BEGIN_ANEW {
            self.begun_anew_at = Instant::now();
            return begin_log_anew(connection);
        }
        Ok(())
    }

    /// Accepts messages again if everything works that they need.
    fn try_again(&mut self, connection: &Connection, condition: &SharedCondition) -> Result<(), StoreError> {
        if self.tried_at.elapsed() < TRY_AGAIN {
            return Ok(());
        }
        self.tried_at = Instant::now();
        let works = begin_log_anew(connection).and_then(|()| {
            if self.reserve.cover(0).is_err() {
                self.give_back(connection)?;
                self.reserve.cover(0).map_err(no_reserve)?;
            }
            self.lead_unsaved = true;
            self.save_clock(connection)
        });
        match works {
            Err(error) if error.severity() == Severity::Fatal => return Err(error),
            // It is known already.
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

    /// Gives space of the store's own files back to the disk, for the reserve. A database that is nearly empty again is made
    /// small, and a log that is larger than the reserve is made empty.
    fn give_back(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let (all, free) = (number("page_count")?, number("freelist_count")?);
        if free > SMALL && all - free <= SMALL {
            connection.execute_batch("VACUUM")?;
            return self.empty_log(connection);
        }
        if self.directory.log_size() >= reserve::LEAST + reserve::LEAST / 4 {
            return self.empty_log(connection);
        }
        Ok(())
    }

    /// Whether a restart would find what is stored now.
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

    /// Brings everything into the database and makes the log empty. After that, deleted content is in no file.
    fn empty_log(&mut self, connection: &Connection) -> Result<(), StoreError> {
        checkpoint(connection, CheckpointMode::TRUNCATE)?;
        self.log_used_since = None;
        Ok(())
    }

    /// Empties the log and closes the connection, with which it is removed. The next start needs room for another, on a
    /// full disk too.
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

    /// Writes down by how much the clock was moved: the next start has to know.
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

/// Brings everything into the database, so that the log is written from its beginning. It stays as large as it is: on a
/// full disk its space is the store's own.
fn begin_log_anew(connection: &Connection) -> Result<(), StoreError> {
    checkpoint(connection, CheckpointMode::RESTART).map(|_| ())
}

/// Brings pages from the log into the database, as `mode` says, and returns how many the log has. (A pragma would do the
/// same, but SQLite prepares those anew each time.)
fn checkpoint(connection: &Connection, mode: CheckpointMode) -> Result<u64, StoreError> {
    let (pages, _) = connection.wal_checkpoint_v2(None::<&CStr>, mode)?;
    Ok(pages.try_into().unwrap_or(0))
}

/// Makes a part of the reserve free pages of the database and space of the log, which nobody else can take.
fn take_space(connection: &Connection) -> Result<(), StoreError> {
    let taken = connection.execute_batch(
        "BEGIN IMMEDIATE; CREATE TABLE space (bytes BLOB); INSERT INTO space VALUES (zeroblob(2097152));
         DROP TABLE space; COMMIT",
    );
    if taken.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    taken?;
    begin_log_anew(connection)
}

/// The reserve cannot be made: the disk is full, or cannot be written.
fn no_reserve(error: io::Error) -> StoreError {
    StoreError::Refused(match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Refusal::Full,
        _ => Refusal::Write(Arc::new(error)),
    })
}
