//! One thread owns the connection. It commits all jobs that arrived in the meantime together, with one sync
//! for many callers. A caller learns that its job is done only after the commit that contains it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    StoreError,
    condition::{Condition, Refusal, Severity, SharedCondition},
    upkeep::Upkeep,
};

/// The most jobs in one transaction, so that no caller waits long for a commit.
const MAX_JOBS: usize = 512;

/// How often the thread runs the upkeep, no matter how busy it is.
const TICK: Duration = Duration::from_secs(1);

/// The purpose of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Adds messages. It is refused while the disk is full.
    Accept,
    /// Finishes the delivery of stored messages.
    Deliver,
    /// Only reads. It sees committed data and is not affected by failures of other jobs.
    Read,
}

/// The changes that are undone when a job fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// Those of the job.
    Job,
    /// Those of all jobs in the transaction. It saves the copy of each page that a job changes. A job whose statements
    /// fail only when the disk fails loses nothing by it.
    Transaction,
}

/// Tells the caller how its job ended. Its argument is how the transaction ended.
type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A job that ran in a transaction which is still open.
struct Done {
    error: Option<JobError>,
    answer: Answer,
}

/// Why a job failed.
struct JobError {
    error: StoreError,
    /// Whether the job may have left changes in the transaction.
    left_changes: bool,
}

impl JobError {
    fn ends_transaction(&self) -> bool {
        self.left_changes || self.error.severity() == Severity::Fatal
    }
}

type Job = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Done + Send>;

enum Task {
    Job(Purpose, Job),
    Close(oneshot::Sender<()>),
}

#[derive(Clone)]
pub(super) struct Writer {
    tasks: Sender<Task>,
    condition: SharedCondition,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        upkeep: Upkeep,
        condition: SharedCondition,
    ) -> Result<Self, StoreError> {
        let (tasks, receiver) = channel();
        let writer = Self { tasks, condition: condition.clone() };
        let thread = WriterThread { connection, upkeep, condition, tasks: receiver };
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let condition = thread.condition.clone();
                if catch_unwind(AssertUnwindSafe(|| thread.run())).is_err() {
                    condition.set(Condition::Broken(StoreError::Stopped));
                }
            })
            .map_err(|error| StoreError::Thread(Arc::new(error)))?;
        Ok(writer)
    }

    pub(super) async fn run<R: Send + 'static>(
        &self,
        purpose: Purpose,
        undo: Undo,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        if purpose == Purpose::Accept
            && let Some(refusal) = self.condition.refusal()
        {
            return Err(refusal);
        }
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = match connection {
                Ok(connection) if undo == Undo::Job => in_savepoint(connection, work),
                Ok(connection) => {
                    work(connection).map_err(|error| JobError { error: error.into(), left_changes: true })
                }
                Err(error) => Err(JobError { error, left_changes: false }),
            };
            let (result, error) = match result {
                Ok(result) => (Ok(result), None),
                Err(failed) => (Err(failed.error.clone()), Some(failed)),
            };
            // A cancelled caller no longer waits. Its job stays done.
            let answer = move |committed: Result<(), _>| drop(answer.send(committed.and(result)));
            Done { error, answer: Box::new(answer) }
        });
        self.tasks.send(Task::Job(purpose, job)).map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }

    /// Ends the thread after all earlier jobs, with everything in the database and the log removed.
    pub(super) async fn close(&self) {
        let (closed, wait) = oneshot::channel();
        if self.tasks.send(Task::Close(closed)).is_ok() {
            let _ = wait.await;
        }
    }
}

/// The jobs of one transaction.
#[derive(Default)]
struct Group {
    done: Vec<(Purpose, Done)>,
    /// The jobs that only read.
    reads: Vec<Job>,
    closed: Option<oneshot::Sender<()>>,
}

impl Group {
    /// Adds a job that ran. When SQLite cannot continue a transaction, for example on a full disk, it rolls
    /// back the whole transaction. All earlier jobs are then undone, and later jobs would be in a separate
    /// transaction.
    fn add(&mut self, purpose: Purpose, done: Done, connection: &Connection) -> Result<(), StoreError> {
        let is_over = connection.is_autocommit();
        let result = match &done.error {
            Some(failed) if is_over || failed.ends_transaction() => Err(failed.error.clone()),
            _ if is_over => Err(StoreError::RolledBack),
            _ => Ok(()),
        };
        self.done.push((purpose, done));
        result
    }
}

struct WriterThread {
    connection: Connection,
    upkeep: Upkeep,
    condition: SharedCondition,
    tasks: Receiver<Task>,
}

impl WriterThread {
    /// Runs until every [`Writer`] is dropped, the store is closed, or the store is broken.
    fn run(mut self) {
        let mut next_tick = Instant::now();
        let closed = loop {
            if Instant::now() >= next_tick {
                let looked = self.upkeep.every_second(&self.connection, &self.condition);
                self.note_failure(looked);
                next_tick = Instant::now() + TICK;
            }
            if let Condition::Broken(error) = self.condition.get() {
                return self.refuse_all(&error);
            }
            match self.tasks.recv_timeout(next_tick.saturating_duration_since(Instant::now())) {
                Ok(Task::Job(purpose, job)) => {
                    if let Some(closed) = self.commit(purpose, job) {
                        break Some(closed);
                    }
                }
                Ok(Task::Close(closed)) => break Some(closed),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        self.upkeep.close(self.connection);
        if let Some(closed) = closed {
            let _ = closed.send(());
        }
    }

    /// Runs a job and those that wait behind it in one transaction, and answers all of them. Returns a
    /// request to close if one was among them.
    fn commit(&mut self, purpose: Purpose, first: Job) -> Option<oneshot::Sender<()>> {
        if purpose == Purpose::Read {
            self.read(first);
            return None;
        }
        let mut group = Group::default();
        let committed = self.do_all(purpose, first, &mut group).and_then(|()| self.end_transaction());
        if committed.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
            if !self.connection.is_autocommit() {
                self.condition.set(Condition::Broken(StoreError::RolledBack));
            }
        }
        // A failed job may show the state of the disk although the others succeeded.
        let errors =
            group.done.iter().filter_map(|(_, done)| done.error.as_ref().map(|failed| &failed.error));
        let worst = errors.chain(committed.as_ref().err()).max_by_key(|error| error.severity()).cloned();
        self.note_failure(worst.map_or(Ok(()), Err));
        let in_place = committed.is_err() || self.upkeep.is_in_place(&self.condition);
        for (purpose, Done { answer, .. }) in group.done {
            answer(match &committed {
                Ok(()) if in_place || purpose != Purpose::Accept => Ok(()),
                Ok(()) => Err(StoreError::Refused(Refusal::Moved)),
                Err(error) => Err(error.clone()),
            });
        }
        if committed.is_ok() {
            let kept = self.upkeep.after_commit(&self.connection, &self.condition);
            self.note_failure(kept);
        }
        group.reads.into_iter().for_each(|look| self.read(look));
        group.closed
    }

    /// Begins a transaction and runs the waiting jobs in it, until one ends the transaction for all.
    fn do_all(&self, purpose: Purpose, first: Job, group: &mut Group) -> Result<(), StoreError> {
        if let Err(error) = self.statement("BEGIN IMMEDIATE") {
            group.done.push((purpose, first(Err(error.clone()))));
            return Err(error);
        }
        // On a full disk there may be room for each job by itself.
        let most = if self.condition.refusal().is_none() { MAX_JOBS } else { 1 };
        let mut next = Some(Task::Job(purpose, first));
        while let Some(task) = next {
            match task {
                Task::Job(Purpose::Read, look) => group.reads.push(look),
                Task::Job(purpose, job) => group.add(purpose, job(Ok(&self.connection)), &self.connection)?,
                Task::Close(closed) => {
                    group.closed = Some(closed);
                    break;
                }
            }
            let is_full = group.done.len() + group.reads.len() >= most;
            next = if is_full { None } else { self.tasks.try_recv().ok() };
        }
        Ok(())
    }

    fn read(&self, job: Job) {
        (job(Ok(&self.connection)).answer)(Ok(()));
    }

    fn end_transaction(&self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            return Err(StoreError::RolledBack);
        }
        self.statement("COMMIT")
    }

    fn statement(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    /// Reacts to an error that shows the state of the disk.
    fn note_failure(&mut self, result: Result<(), StoreError>) {
        let Err(error) = result else { return };
        match error.severity() {
            Severity::Job => {}
            Severity::Fatal => self.condition.set(Condition::Broken(error)),
            Severity::Full | Severity::Write | Severity::Damaged => {
                let emptied = self.upkeep.handle_failed_write(&self.connection, &self.condition, &error);
                if let Err(error) = emptied
                    && error.severity() == Severity::Fatal
                {
                    self.condition.set(Condition::Broken(error));
                }
            }
        }
    }

    /// Answers every request with the error, for as long as there may be callers.
    fn refuse_all(&self, error: &StoreError) {
        while let Ok(task) = self.tasks.recv() {
            match task {
                Task::Job(_, job) => (job(Err(error.clone())).answer)(Err(error.clone())),
                Task::Close(closed) => {
                    let _ = closed.send(());
                }
            }
        }
    }
}

/// Runs `work` in a savepoint: if it fails, only its own changes are undone.
fn in_savepoint<R>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<R>,
) -> Result<R, JobError> {
    let statement = |sql| connection.prepare_cached(sql)?.execute([]).map(|_| ());
    let failed = |error: rusqlite::Error, left_changes| JobError { error: error.into(), left_changes };
    statement("SAVEPOINT job").map_err(|error| failed(error, false))?;
    match work(connection) {
        Ok(result) => match statement("RELEASE job") {
            Ok(()) => Ok(result),
            Err(error) => Err(failed(error, true)),
        },
        Err(error) => {
            let undone = statement("ROLLBACK TO job").and_then(|()| statement("RELEASE job"));
            Err(failed(error, undone.is_err()))
        }
    }
}
