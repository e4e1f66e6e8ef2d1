//! Whether the store accepts messages, and what an error of SQLite means for that.

use std::{error::Error, sync::Arc};

use rusqlite::ffi;
use tokio::sync::watch;

use super::StoreError;

/// The state of the store as a whole.
#[derive(Clone, Debug)]
pub enum Condition {
    /// It accepts messages and hands them out.
    Accepting,
    /// It accepts none for now. It goes on delivering as far as the disk lets it, and finds out by itself when it can
    /// accept messages again.
    Refusing(Refusal),
    /// Nobody knows what is on disk. The process has to end, and the next start reads what is there.
    Broken(StoreError),
}

/// Why no message is accepted for now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no space left for the store.
    #[error("the disk is full; free some space, and messages are accepted again by themselves")]
    Full,
    /// The disk refuses to be written to or read, in the words of the system or of SQLite.
    #[error("the disk cannot be written: {0}; messages are accepted again as soon as it can")]
    Write(Arc<dyn Error + Send + Sync>),
    /// The database is damaged: nobody knows whether a message that is added now would be found again.
    #[error(
        "the store is damaged ({0}); stop segue, keep a copy of the data directory, and repair it with the command \
         .recover of the program sqlite3"
    )]
    Damaged(Arc<rusqlite::Error>),
    /// The files that the process has open are not those at the path any more: a restart would not find them.
    #[error(
        "the data directory was removed or replaced; messages that wait in the old one are still delivered. \
         Put it back, or restart once they are"
    )]
    Moved,
}

/// The condition as the thread that writes sets it and everybody sees it.
#[derive(Clone, Debug)]
pub(super) struct SharedCondition(Arc<watch::Sender<Condition>>);

impl SharedCondition {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Condition::Accepting)))
    }

    pub(super) fn get(&self) -> Condition {
        self.0.borrow().clone()
    }

    /// Why a message cannot be accepted, if it cannot.
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

    /// Returns when the store is broken, with the reason.
    pub(super) async fn broken(&self) -> StoreError {
        let mut changes = self.0.subscribe();
        let broken = changes.wait_for(|condition| matches!(condition, Condition::Broken(_))).await;
        match broken.as_deref() {
            Ok(Condition::Broken(error)) => error.clone(),
            // `self` has the sender, so it is never gone.
            _ => StoreError::Stopped,
        }
    }
}

/// How much of the store an error stops, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    /// It concerns the one job.
    Job,
    /// There is no space.
    Full,
    /// The disk did not do what it was asked to, and it is known that it did not.
    Write,
    /// The database cannot be read.
    Damaged,
    /// It is not known what is on disk.
    Fatal,
}

/// How bad an error of SQLite is. After a failed sync the kernel may have dropped the pages that it could not write, and
/// the next sync says that all is well (PostgreSQL's "fsyncgate"); out of memory SQLite may be in the middle of anything.
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
