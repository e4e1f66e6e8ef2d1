//! A run: reads, maps and sends the users, and saves a checkpoint after every batch.

use super::{
    batch::{Batch, RecordMapper},
    checkpoint::State,
    context::{Context, INTERRUPTED, Stopped},
    destination::Destination,
    options::CommonOptions,
    progress::thousands,
    refused::RefusedFile,
    source::Source,
    summary::{Counts, RunOutcome, Summary},
};
use crate::{
    console::{output, redact},
    error::{CommandError, Exit, OutputClosed},
};

/// The exit code when some users cannot be sent.
const SOME_REFUSED: u8 = 3;

/// The most records between two checkpoints. It counts when few of the records make messages.
const MOST_RECORDS: u64 = 5_000;

/// How many refused users a dry run prints.
const REFUSALS_PRINTED: u64 = 10;

/// A run.
pub struct Job {
    what: String,
    /// The name of the destination, for people.
    to: String,
    /// The checkpoint, the file of refused users and the sender. A dry run has none.
    sending: Option<(State, RefusedFile, Destination)>,
    mapper: RecordMapper,
    limit: Option<u64>,
    batch_size: usize,
    context: Context,
    all: Counts,
    this_run: Counts,
}

impl Job {
    /// Returns a run that backfills `what`. `state` holds its checkpoint; a dry run has none.
    pub fn new(
        common: &CommonOptions,
        what: &str,
        state: Option<State>,
        mapper: RecordMapper,
        context: Context,
    ) -> Result<Self, CommandError> {
        common.check_rate()?;
        let (to, batch_size) = (common.destination(&context)?, common.batch_size());
        let all = state.as_ref().map(|state| state.checkpoint.counts.clone()).unwrap_or_default();
        let sending = match state {
            None => None,
            Some(state) => {
                let destination = common.connect(&context)?;
                let refused =
                    RefusedFile::new(state.beside("refused.ndjson"), state.checkpoint.refused_bytes);
                Some((state, refused, destination))
            }
        };
        let limit = common.limit;
        let what = what.to_owned();
        Ok(Self { what, to, sending, mapper, limit, batch_size, context, all, this_run: Counts::default() })
    }

    /// Prints the summary of a backfill that an earlier run finished.
    ///
    /// # Errors
    /// The exit code, when some users could not be sent.
    pub fn report_already_finished(self) -> Result<(), CommandError> {
        self.report(RunOutcome::AlreadyFinished)
    }

    /// Does the backfill and prints a summary.
    ///
    /// # Errors
    /// The reason why it stopped, or the exit code when the reason is already printed.
    pub async fn run(mut self, mut source: impl Source) -> Result<(), CommandError> {
        if self.sending.is_some() {
            self.context.progress.say(&format!("{}: sending to {}.", self.what, self.to));
        }
        if self.all.read > 0 {
            self.context
                .progress
                .say(&format!("Continuing after {} that are done.", thousands(self.all.read)));
        }
        let result = self.work(&mut source).await;
        self.context.progress.end();
        let outcome = match &result {
            Ok(outcome) => *outcome,
            Err(error) if error.is::<Stopped>() => RunOutcome::Interrupted,
            // Nobody reads the output, so there is no summary.
            Err(error) if error.is::<OutputClosed>() => return result.map(drop),
            Err(_) => RunOutcome::Failed,
        };
        match (self.report(outcome), result) {
            (_, Err(error)) if !error.is::<Stopped>() => Err(error),
            (reported, _) => reported,
        }
    }

    async fn work(&mut self, source: &mut impl Source) -> Result<RunOutcome, CommandError> {
        let mut batch = Batch::default();
        loop {
            let records = match self.context.stop.unless(source.read()).await? {
                Ok(records) => records,
                Err(error) => {
                    // The records before the error are good.
                    self.flush(&mut batch, source).await?;
                    return Err(error);
                }
            };
            if records.is_empty() {
                self.flush(&mut batch, source).await?;
                return self.finish(source).await;
            }
            for record in records {
                if self.limit_is_reached(&batch) {
                    self.flush(&mut batch, source).await?;
                    if self.limit_is_reached(&batch) {
                        return Ok(RunOutcome::LimitReached);
                    }
                }
                batch.add(record, &self.mapper)?;
                if batch.messages.len() >= self.batch_size || batch.counts.read >= MOST_RECORDS {
                    self.flush(&mut batch, source).await?;
                }
            }
        }
    }

    async fn finish(&mut self, source: &mut impl Source) -> Result<RunOutcome, CommandError> {
        if let Some(warning) = self.context.stop.unless(source.finish()).await?? {
            self.context.progress.say(&warning);
        }
        if let Some((state, ..)) = &mut self.sending {
            state.checkpoint.finished = true;
            state.save()?;
        }
        Ok(RunOutcome::Finished)
    }

    fn limit_is_reached(&self, batch: &Batch) -> bool {
        self.limit.is_some_and(|limit| self.this_run.sent + batch.found.len() as u64 >= limit)
    }

    /// Sends the batch and saves the checkpoint.
    async fn flush(&mut self, batch: &mut Batch, source: &impl Source) -> Result<(), CommandError> {
        let mut batch = std::mem::take(batch);
        if batch.position.is_none() {
            return Ok(());
        }
        batch.counts.sent = batch.found.len() as u64;
        batch.counts.messages = batch.messages.len() as u64;
        match &mut self.sending {
            None => self.print(&batch)?,
            Some((state, refused_file, destination)) => {
                let not_sent = destination.send(std::mem::take(&mut batch.messages)).await?;
                batch.not_sent(not_sent);
                self.all.add(&batch.counts);
                let checkpoint = &mut state.checkpoint;
                checkpoint.refused_bytes = refused_file.write(&batch.refusals).map_err(|error| {
                    format!("the file of refused users cannot be written: {error}; free some disk space, then run the same command again")
                })?;
                checkpoint.counts = self.all.clone();
                checkpoint.position = batch.position.or(checkpoint.position.take());
                state.save()?;
            }
        }
        self.this_run.add(&batch.counts);
        if self.sending.is_none() {
            self.all = self.this_run.clone();
        }
        self.context.progress.update(batch.done, source.total(), self.this_run.read);
        Ok(())
    }

    /// Prints the batch of a dry run.
    fn print(&self, batch: &Batch) -> Result<(), CommandError> {
        let more = REFUSALS_PRINTED.saturating_sub(self.this_run.refused());
        for refusal in batch.refusals.iter().take(usize::try_from(more).unwrap_or_default()) {
            self.context.progress.say(&format!("{}: {}.", refusal.place, refusal.problem));
        }
        let lines: String =
            batch.messages.iter().map(|outgoing| format!("{}\n", outgoing.message.as_json())).collect();
        if lines.is_empty() { Ok(()) } else { output::print_json(lines) }
    }

    fn report(&self, outcome: RunOutcome) -> Result<(), CommandError> {
        let refused_file = self.sending.as_ref().and_then(|(_, refused, _)| refused.path());
        let summary = Summary {
            what: &self.what,
            outcome,
            dry_run: self.sending.is_none(),
            all: &self.all,
            this_run: &self.this_run,
            took: self.context.progress.elapsed(),
            refused_file: refused_file.map(std::path::PathBuf::as_path),
        };
        summary.say(&self.context.progress);
        if self.sending.is_some() {
            // It holds the provider's address.
            output::print_json(redact::passwords(&summary.json().to_string()))?;
        }
        match outcome {
            RunOutcome::Interrupted => Err(Box::new(Exit(INTERRUPTED))),
            _ if self.all.refused() > 0 => Err(Box::new(Exit(SOME_REFUSED))),
            _ => Ok(()),
        }
    }
}
