//! Whether the store accepts messages, and what an SQLite error means for that.

use std::{error::Error, sync::Arc};

use rusqlite::ffi;
use tokio::sync::watch;

use super::StoreError;

/// The state of the store as a whole.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Accepts messages and delivers them.
    Accepting,
    /// Accepts no message for now. It still delivers as far as the disk allows, and accepts messages again by
    /// itself when it can.
    Refusing(Refusal),
    /// The content of the disk is unknown. The process must end, and the next start reads what is there.
    Broken(StoreError),
}

/// Why no message is accepted for now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no space left for the store.
    #[error("the disk is full; free some space, and messages are accepted again")]
    Full,
    /// The disk cannot be written or read. Holds the words of the system or of SQLite.
    #[error("the disk cannot be written: {0}; messages are accepted again as soon as it can be")]
    Write(Arc<dyn Error + Send + Sync>),
    /// The database is damaged. A message that is added now may not be found again.
    #[error(
        "the store is damaged ({0}); stop segue, keep a copy of the data directory, and repair it with the command \
         .recover of the program sqlite3"
    )]
    Damaged(Arc<rusqlite::Error>),
    /// The open files are no longer the ones at their paths: a restart would not find them.
    #[error(
        "the data directory was removed or replaced; messages that wait in the old one are still delivered. \
         Put it back, or restart once they are"
    )]
    Moved,
}

/// The condition. The writer thread sets it, and everybody can read it.
#[derive(Clone, Debug)]
pub(super) struct SharedCondition(Arc<watch::Sender<Condition>>);

impl SharedCondition {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Condition::Accepting)))
    }

    pub(super) fn get(&self) -> Condition {
        self.0.borrow().clone()
    }

    /// Returns the error for a message that cannot be accepted now.
    pub(super) fn refusal(&self) -> Option<StoreError> {
        match &*self.0.borrow() {
            Condition::Accepting => None,
            Condition::Refusing(refusal) => Some(StoreError::Refused(refusal.clone())),
            Condition::Broken(error) => Some(error.clone()),
        }
    }

    pub(super) fn set(&self, condition: Condition) {
        self.0.send_replace(condition);
    }

    /// Returns, with the reason, when the store is broken.
    pub(super) async fn broken(&self) -> StoreError {
        let mut changes = self.0.subscribe();
        let broken = changes.wait_for(|condition| matches!(condition, Condition::Broken(_))).await;
        match broken.as_deref() {
            Ok(Condition::Broken(error)) => error.clone(),
            // `self` holds the sender, so it always exists.
            _ => StoreError::Stopped,
        }
    }
}

/// How much of the store an error stops. The worst is last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// One job only.
    Job,
    /// There is no space.
    Full,
    /// A write failed, and it is certain that it failed.
    Write,
    /// The database cannot be read.
    Damaged,
    /// The content of the disk is unknown.
    Fatal,
}

/// Returns how bad an SQLite error is. After a failed sync, the kernel may have dropped the pages that it
/// could not write, and the next sync reports success (PostgreSQL's "fsyncgate"). Out of memory, SQLite may
/// stop in the middle of anything.
pub(super) fn severity(error: &rusqlite::Error) -> Severity {
    let Some(error) = error.sqlite_error() else { return Severity::Job };
    match (error.extended_code & 0xff, error.extended_code) {
        (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC | ffi::SQLITE_IOERR_NOMEM) => {
            Severity::Fatal
        }
        (ffi::SQLITE_NOMEM, _) => Severity::Fatal,
        (ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB, _) => Severity::Damaged,
        (ffi::SQLITE_FULL, _) => Severity::Full,
        (ffi::SQLITE_IOERR | ffi::SQLITE_READONLY | ffi::SQLITE_CANTOPEN, _) => Severity::Write,
        _ => Severity::Job,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_stops_one_job_the_intake_or_the_process() {
        for (code, expected) in [
            (ffi::SQLITE_CONSTRAINT_UNIQUE, Severity::Job),
            (ffi::SQLITE_ERROR, Severity::Job),
            (ffi::SQLITE_FULL, Severity::Full),
            (ffi::SQLITE_IOERR_WRITE, Severity::Write),
            (ffi::SQLITE_IOERR_TRUNCATE, Severity::Write),
            (ffi::SQLITE_IOERR_READ, Severity::Write),
            (ffi::SQLITE_READONLY, Severity::Write),
            (ffi::SQLITE_CANTOPEN, Severity::Write),
            (ffi::SQLITE_CORRUPT_INDEX, Severity::Damaged),
            (ffi::SQLITE_NOTADB, Severity::Damaged),
            (ffi::SQLITE_IOERR_FSYNC, Severity::Fatal),
            (ffi::SQLITE_IOERR_DIR_FSYNC, Severity::Fatal),
            (ffi::SQLITE_IOERR_NOMEM, Severity::Fatal),
            (ffi::SQLITE_NOMEM, Severity::Fatal),
        ] {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(severity(&error), expected, "{code}");
        }
        assert_eq!(severity(&rusqlite::Error::QueryReturnedNoRows), Severity::Job);
    }
}
