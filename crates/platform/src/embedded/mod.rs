//! The topic and the queues as tables in one SQLite file, with the meaning that SNS and SQS give them:
//! visibility timeout, delay, receive count, dead-letter queue. Beside them the ledger and the quota.

mod dead_letters;
mod ledger;
mod queue;
mod quota;
mod topic;
mod waiting;
mod writer;

use std::{path::Path, sync::Arc};

use rusqlite::Connection;
use tokio::sync::Notify;

pub use self::{
    dead_letters::DeadLetter,
    ledger::EmbeddedLedger,
    queue::{EmbeddedQueue, MAX_RECEIVE_COUNT},
    quota::EmbeddedQuota,
    topic::{EmbeddedTopic, Subscription},
    waiting::Waiting,
};
use crate::clock::SharedClock;

/// The file's name inside the data directory.
pub const FILE: &str = "segue.db";

/// AUTOINCREMENT: an id is never given to another message, so that who held one too long cannot touch that.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS message (
        id            INTEGER PRIMARY KEY AUTOINCREMENT,
        queue         TEXT    NOT NULL,
        body          TEXT    NOT NULL,
        attributes    TEXT    NOT NULL,
        sent_at       INTEGER NOT NULL,
        visible_at    INTEGER NOT NULL,
        receive_count INTEGER NOT NULL DEFAULT 0,
        in_flight     INTEGER NOT NULL DEFAULT 0
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
";

/// The open store. Cloning it is cheap. One process at a time may have it open.
#[derive(Clone)]
pub struct Store {
    writer: writer::Writer,
    clock: SharedClock,
    arrived: Arc<Notify>,
}

/// Why the store cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory cannot be made.
    #[error("the data directory cannot be made; choose another with --data-dir")]
    Directory(#[source] std::io::Error),
    /// Another process has the store open.
    #[error("another segue is using this data directory; stop it, or choose another with --data-dir")]
    InUse,
    /// SQLite refused.
    #[error("the embedded store failed")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    /// The thread that writes is gone.
    #[error("the embedded store has stopped")]
    Stopped,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::InUse,
            _ => Self::Sqlite(Arc::new(error)),
        }
    }
}

impl Store {
    /// Opens the store in `directory`, which is made if need be. What a process that is gone had received
    /// and not finished is visible again at once.
    ///
    /// # Errors
    /// [`StoreError`] when the directory or the file cannot be used, or another process uses it.
    pub fn open(directory: &Path, clock: SharedClock) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory).map_err(StoreError::Directory)?;
        let connection = Connection::open(directory.join(FILE))?;
        connection.busy_timeout(std::time::Duration::ZERO)?;
        // FULL: an answered request survives a power cut, not only a crash of the process. One fsync serves
        // all that is committed together, see `writer`. Most messages are gone before a checkpoint, which then has
        // little to write: at 8,000 pages (32 MB) it seldom holds up a publish.
        connection.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 8000;",
        )?;
        connection.execute_batch(SCHEMA)?;
        connection.execute(
            "UPDATE message SET in_flight = 0, visible_at = ?1 WHERE in_flight = 1",
            [clock.now().as_millisecond()],
        )?;
        Ok(Self { writer: writer::Writer::start(connection)?, clock, arrived: Arc::new(Notify::new()) })
    }

    /// Runs `job` inside a transaction and returns when that is on disk. A job that fails leaves no trace.
    ///
    /// # Errors
    /// [`StoreError`] when the job or the commit failed.
    pub async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.writer.run(job).await
    }

    /// The topic, whose messages go to each of `subscriptions` that wants them.
    pub fn topic(&self, subscriptions: Vec<Subscription>) -> EmbeddedTopic {
        EmbeddedTopic::new(self.clone(), subscriptions)
    }

    /// The queue of that name. Its dead-letter queue has the same name and `-dead-letter`.
    pub fn queue(&self, name: &'static str) -> EmbeddedQueue {
        EmbeddedQueue::new(self.clone(), name)
    }

    /// The ledger of sign-ups.
    pub fn ledger(&self) -> EmbeddedLedger {
        EmbeddedLedger::new(self.clone())
    }

    /// The quota.
    pub fn quota(&self) -> EmbeddedQuota {
        EmbeddedQuota::new(self.clone())
    }

    fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}
