//! One thread owns the connection and commits what came in meanwhile together: one fsync for many callers.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::StoreError;
use crate::telemetry::Chain;

/// The most jobs in one transaction, so that nobody waits long for a commit.
const MAX_JOBS: usize = 512;

type Answer = Box<dyn FnOnce(Result<(), StoreError>) + Send>;
type Job = Box<dyn FnOnce(&Connection) -> Answer + Send>;

#[derive(Clone)]
pub(super) struct Writer(Sender<Job>);

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (sender, receiver) = channel();
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || write(&connection, &receiver))
            .map_err(StoreError::Directory)?;
        Ok(Self(sender))
    }

    pub(super) async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = in_savepoint(connection, work);
            Box::new(move |committed| {
                // Nobody waits any more when the caller was cancelled; the work stays done.
                let _ = answer.send(committed.and(result.map_err(StoreError::from)));
            })
        });
        self.0.send(job).map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }
}

/// Runs until every [`Writer`] is gone.
fn write(connection: &Connection, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut answers: Vec<Answer> = Vec::new();
        let committed = connection.execute_batch("BEGIN IMMEDIATE").and_then(|()| {
            answers.push(first(connection));
            answers.extend(jobs.try_iter().take(MAX_JOBS - 1).map(|job| job(connection)));
            connection.execute_batch("COMMIT")
        });
        let failure = committed.err().map(|error| {
            // The transaction may or may not be over; a rollback that finds none changes nothing.
            let _ = connection.execute_batch("ROLLBACK");
            tracing::error!(error = %Chain(&error), "The store could not commit.");
            Arc::new(error)
        });
        for answer in answers {
            answer(failure.clone().map_or(Ok(()), |error| Err(StoreError::Sqlite(error))));
        }
    }
}

/// One job's failure undoes that job, not its neighbours in the transaction.
fn in_savepoint<R>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> rusqlite::Result<R>,
) -> rusqlite::Result<R> {
    connection.prepare_cached("SAVEPOINT job")?.execute([])?;
    let result = work(connection);
    if result.is_err() {
        connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    connection.prepare_cached("RELEASE job")?.execute([])?;
    result
}
