//! The topic and the queues as tables in one SQLite file, with the meaning that SNS and SQS give them:
//! visibility timeout, delay, receive count, dead-letter queue. Beside them the ledger and the quota.

mod condition;
mod damage;
mod dead_letters;
mod directory;
mod ledger;
mod queue;
mod quota;
mod receive;
mod rejected;
mod reserve;
mod schema;
mod topic;
mod upkeep;
mod waiting;
mod writer;

use std::{io, path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, config::DbConfig};
use tokio::sync::Notify;

pub use self::{
    condition::{Condition, Refusal},
    damage::lossy,
    dead_letters::{DeadLetter, Removal, Selection},
    directory::{FILE, private_directory},
    ledger::SqliteLedger,
    queue::SqliteQueue,
    quota::SqliteQuota,
    receive::MAX_RECEIVE_COUNT,
    rejected::SqliteRejectedQueue,
    topic::{SqliteTopic, Subscription},
    waiting::Waiting,
};
use self::{
    condition::{Severity, SharedCondition, severity},
    directory::Directory,
    upkeep::Upkeep,
    writer::{Purpose, Writer},
};
use crate::clock::SharedClock;

/// The open store. Cloning it is cheap. One process at a time may have it open.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    condition: SharedCondition,
    clock: SharedClock,
    arrived: Arc<Notify>,
}

/// Why the store cannot do its work.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory cannot be made.
    #[error("the data directory cannot be made; choose another with --data-dir")]
    Directory(#[source] Arc<io::Error>),
    /// No file can be made in the data directory.
    #[error("the data directory cannot be written; check its permissions, or choose another with --data-dir")]
    Unwritable(#[source] Arc<io::Error>),
    /// Another process has the store open.
    #[error("another segue is using this data directory; stop it, or choose another with --data-dir")]
    InUse,
    /// The store was made by a later version.
    #[error("a newer version of segue made this data directory; use that, or choose another with --data-dir")]
    Newer,
    /// It accepts no message for now.
    #[error("no message is accepted for now")]
    Refused(#[source] Refusal),
    /// The database cannot be read.
    #[error(
        "the store is damaged; keep a copy of the data directory and repair it with the command .recover of the program \
         sqlite3, or choose another with --data-dir"
    )]
    Damaged(#[source] Arc<rusqlite::Error>),
    /// SQLite refused.
    #[error("the embedded store failed")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    /// Other work in the same transaction ended it, and nothing of it was stored.
    #[error("the transaction of the embedded store was undone")]
    RolledBack,
    /// The thread that writes cannot be started.
    #[error("the store's thread cannot be started; raise the limit of processes and threads, or end some")]
    Thread(#[source] Arc<io::Error>),
    /// The thread that writes is gone.
    #[error("the embedded store has stopped")]
    Stopped,
}

impl StoreError {
    fn severity(&self) -> Severity {
        match self {
            Self::Sqlite(error) | Self::Damaged(error) => severity(error),
            Self::Refused(Refusal::Full) => Severity::Full,
            Self::Refused(Refusal::Write(_)) => Severity::Write,
            Self::Stopped => Severity::Fatal,
            _ => Severity::Job,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::InUse,
            _ if severity(&error) == Severity::Damaged => Self::Damaged(Arc::new(error)),
            _ => Self::Sqlite(Arc::new(error)),
        }
    }
}

impl Store {
    /// Opens the store in `directory`, which it makes if need be and closes to other users. Messages that an earlier process
    /// had received and not finished are visible again at once.
    ///
    /// # Errors
    /// [`StoreError`] when the directory or the file cannot be used, or another process uses it.
    pub fn open(directory: &Path, clock: SharedClock) -> Result<Self, StoreError> {
        let prepared = Directory::prepare(directory)?;
        let connection = Connection::open(directory.join(FILE))?;
        connection.busy_timeout(Duration::ZERO)?;
        // To prepare a statement costs more than to run it. So there is room for all of them, and none is prepared anew
        // because a better plan might fit the values that are bound to it.
        connection.set_prepared_statement_cache_capacity(64);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // FULL: an answered request survives a power cut, not only a crash of the process. One sync serves all that is
        // committed together, see `writer`. The log is emptied by `upkeep`, which sees how that ends.
        // Deleted content is overwritten. SQLite's temporary files would be outside of the directory, so they stay in memory.
        connection.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;",
        )?;
        schema::migrate(&connection)?;
        let mut upkeep = Upkeep::new(prepared, clock.clone())?;
        upkeep.take_over(&connection)?;
        upkeep.opened();
        let condition = SharedCondition::new();
        let writer = Writer::start(connection, upkeep, condition.clone())?;
        Ok(Self { writer, condition, clock, arrived: Arc::new(Notify::new()) })
    }

    /// Runs `job` inside a transaction and returns when that is on disk. A job that fails leaves no trace.
    ///
    /// # Errors
    /// [`StoreError`] when the job or the commit failed.
    pub async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.writer.run(Purpose::Deliver, job).await
    }

    /// As [`run`](Self::run), for a job that adds to what the store has to keep. While no message is accepted, it is not
    /// run.
    ///
    /// # Errors
    /// As for [`run`](Self::run), and [`StoreError::Refused`].
    pub async fn accept<R: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.writer.run(Purpose::Accept, job).await
    }

    /// Runs `job`, which changes nothing, on what is stored.
    ///
    /// # Errors
    /// [`StoreError`] when the job failed.
    pub async fn read<R: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.writer.run(Purpose::Read, job).await
    }

    /// The state of the store.
    pub fn condition(&self) -> Condition {
        self.condition.get()
    }

    /// Returns when nobody knows any more what is on disk, with the reason. Then the process has to end.
    pub async fn broken(&self) -> StoreError {
        self.condition.broken().await
    }

    /// Ends the work, after all that was asked for before, and leaves one file with only what is still to be delivered.
    pub async fn close(&self) {
        self.writer.close().await;
    }

    /// The topic, whose messages go to each of `subscriptions` that wants them.
    pub fn topic(&self, subscriptions: Vec<Subscription>) -> SqliteTopic {
        SqliteTopic::new(self.clone(), subscriptions)
    }

    /// The queue of that name. Its dead-letter queue has the same name and `-dead-letter`.
    pub fn queue(&self, name: &'static str) -> SqliteQueue {
        SqliteQueue::new(self.clone(), name)
    }

    /// The ledger of sign-ups.
    pub fn ledger(&self) -> SqliteLedger {
        SqliteLedger::new(self.clone())
    }

    /// The rejected queue.
    pub fn rejected(&self) -> SqliteRejectedQueue {
        SqliteRejectedQueue::new(self.clone())
    }

    /// The quota.
    pub fn quota(&self) -> SqliteQuota {
        SqliteQuota::new(self.clone())
    }

    /// The time of the queues, in milliseconds.
    fn now(&self) -> i64 {
        self.clock.steady().as_millisecond()
    }
}
