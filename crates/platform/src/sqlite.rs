//! The topic and the queues as tables in one SQLite file. They behave like SNS and SQS: visibility timeout,
//! delay, receive count, dead-letter queue. The same file holds the ledger, the quota and the rejected queue.

mod condition;
mod damage;
mod dead_letters;
mod directory;
mod in_flight;
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
    in_flight::InFlight,
    upkeep::Upkeep,
    writer::{Purpose, Undo, Writer},
};
use crate::clock::SharedClock;

/// The open store. Cloning it is cheap. Only one process at a time can open it.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    condition: SharedCondition,
    clock: SharedClock,
    arrived: Arc<Notify>,
    in_flight: InFlight,
}

/// Why the store cannot do its work.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory cannot be created.
    #[error("the data directory cannot be created; choose another with --data-dir")]
    Directory(#[source] Arc<io::Error>),
    /// No file can be created in the data directory.
    #[error("the data directory cannot be written; check its permissions, or choose another with --data-dir")]
    Unwritable(#[source] Arc<io::Error>),
    /// Another process has the store open.
    #[error("another segue is using this data directory; stop it, or choose another with --data-dir")]
    InUse,
    /// A later version created the store.
    #[error(
        "a newer version of segue created this data directory; use that version, or choose another with --data-dir"
    )]
    Newer,
    /// The store accepts no message for now.
    #[error("no message is accepted for now")]
    Refused(#[source] Refusal),
    /// The database cannot be read.
    #[error(
        "the store is damaged; keep a copy of the data directory and repair it with the command .recover of the program \
         sqlite3, or choose another with --data-dir"
    )]
    Damaged(#[source] Arc<rusqlite::Error>),
    /// SQLite returned an error.
    #[error("the store failed")]
    Sqlite(#[source] Arc<rusqlite::Error>),
    /// Another job in the same transaction ended it, so none of the transaction was stored.
    #[error("the store's transaction was rolled back")]
    RolledBack,
    /// The writer thread cannot be started.
    #[error("the store's thread cannot be started; raise the limit of processes and threads, or end some")]
    Thread(#[source] Arc<io::Error>),
    /// The writer thread has ended.
    #[error("the store has stopped")]
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
    /// Opens the store in `directory`. Creates the directory if needed and closes it to other users. Messages
    /// that an earlier process had received and not finished become visible at once.
    ///
    /// # Errors
    /// [`StoreError`] when the directory or the file cannot be used, or another process uses it.
    pub fn open(directory: &Path, clock: SharedClock) -> Result<Self, StoreError> {
        let prepared = Directory::prepare(directory)?;
        let connection = Connection::open(directory.join(FILE))?;
        connection.busy_timeout(Duration::ZERO)?;
        // Preparing a statement costs more than running it. So the cache has room for all statements, and
        // SQLite does not prepare one again to find a better plan for the bound values.
        connection.set_prepared_statement_cache_capacity(64);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        // FULL: an answered request survives a power cut, not only a crash of the process. One sync serves
        // all jobs that are committed together, see `writer`. `upkeep` empties the log, because it needs to
        // see the result. Deleted content is overwritten. The cache, of 8 MB, has room for the pages of one
        // transaction under load; with SQLite's 2 MB a page was written and read several times in each. SQLite's
        // temporary files would be outside the directory, so they stay in memory.
        connection.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -8192;",
        )?;
        schema::migrate(&connection)?;
        let mut upkeep = Upkeep::new(prepared, clock.clone())?;
        upkeep.take_over(&connection)?;
        upkeep.remember_files();
        let condition = SharedCondition::new();
        let writer = Writer::start(connection, upkeep, condition.clone())?;
        Ok(Self { writer, condition, clock, arrived: Arc::default(), in_flight: InFlight::default() })
    }

    /// Runs `job` in a transaction and returns when the transaction is on disk. A job that fails changes
    /// nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the job or the commit failed.
    pub async fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.writer.run(Purpose::Deliver, Undo::Job, job).await
    }

    /// Runs a job that adds messages, as [`run`](Self::run) does. While the store accepts no message, it does
    /// not run the job.
    ///
    /// # Errors
    /// As for [`run`](Self::run), and [`StoreError::Refused`].
    pub async fn accept<R: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.writer.run(Purpose::Accept, Undo::Job, job).await
    }

    /// Runs a job that only reads.
    ///
    /// # Errors
    /// [`StoreError`] when the job failed.
    pub async fn read<R: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        self.writer.run(Purpose::Read, Undo::Transaction, job).await
    }

    /// Returns the state of the store.
    pub fn condition(&self) -> Condition {
        self.condition.get()
    }

    /// Returns, with the reason, when the state of the disk is unknown. The process must then end.
    pub async fn broken(&self) -> StoreError {
        self.condition.broken().await
    }

    /// Closes the store after all jobs that were requested before. Leaves one file, which holds only
    /// undelivered messages.
    pub async fn close(&self) {
        self.writer.close().await;
    }

    /// Returns the topic. Its messages go to each of `subscriptions` that wants them.
    pub fn topic(&self, subscriptions: Vec<Subscription>) -> SqliteTopic {
        SqliteTopic::new(self.clone(), subscriptions)
    }

    /// Returns the queue with this name. Its dead-letter queue has the same name with `-dead-letter` at its
    /// end.
    pub fn queue(&self, name: &'static str) -> SqliteQueue {
        SqliteQueue::new(self.clone(), name)
    }

    /// Returns the ledger of sign-ups.
    pub fn ledger(&self) -> SqliteLedger {
        SqliteLedger::new(self.clone())
    }

    /// Returns the rejected queue.
    pub fn rejected(&self) -> SqliteRejectedQueue {
        SqliteRejectedQueue::new(self.clone())
    }

    /// Returns the quota.
    pub fn quota(&self) -> SqliteQuota {
        SqliteQuota::new(self.clone())
    }

    /// Returns the time of the queues, in milliseconds.
    fn now(&self) -> i64 {
        self.clock.steady().as_millisecond()
    }
}
