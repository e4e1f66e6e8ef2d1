//! A run: read, make, send, and keep how far that came after every batch.

use super::{
    batch::{Batch, Maker},
    checkpoint::State,
    options::CommonOptions,
    pace::{Pace, Patience},
    progress::thousands,
    refused::RefusedFile,
    send::Sender,
    source::Source,
    summary::{Counts, End, Summary},
    surroundings::{INTERRUPTED, Stopped, Surroundings},
};
use crate::{
    console::{output, redact},
    error::{CommandError, Exit, NobodyReads},
    stand_in,
};

/// The exit code of a run after which some cannot be sent.
const SOME_REFUSED: u8 = 3;

/// The most records between two checkpoints, when there is little to send of them.
const MOST_RECORDS: u64 = 5_000;

/// How many refusals a dry run says.
const REFUSALS_SAID: u64 = 10;

/// A run.
pub struct Job {
    what: String,
    /// Where it goes, for people.
    to: String,
    /// None in a dry run.
    kept: Option<(State, RefusedFile, Sender)>,
    maker: Maker,
    limit: Option<u64>,
    at_once: usize,
    surroundings: Surroundings,
    all: Counts,
    this_run: Counts,
}

impl Job {
    /// A run of `what`. `state` is where it is kept how far that came; a dry run has none.
    pub fn new(
        common: &CommonOptions,
        what: &str,
        state: Option<State>,
        maker: Maker,
        surroundings: Surroundings,
    ) -> Result<Self, CommandError> {
        common.check_rate()?;
        let pace = Pace::new(common.rate);
        let (limit, at_once) = (common.limit, pace.at_once());
        let to = match common.segment.endpoint() {
            Some(endpoint) => format!("Segment at {endpoint}"),
            None => format!("the stand-in of segue serve at {}", common.server.listen),
        };
        let all = state.as_ref().map(|state| state.checkpoint.counts.clone()).unwrap_or_default();
        let kept = match state {
            None => None,
            Some(state) => {
                let listen = crate::options::server::reachable(common.server.listen);
                let stand_in = stand_in::url(listen);
                let advice = match common.segment.use_stand_in() {
                    true => format!(
                        "start segue serve, whose stand-in is expected at {listen}, or give --segment-endpoint"
                    ),
                    false => "wait until it is well".to_owned(),
                };
                common.segment.unsent().iter().for_each(output::note);
                let connection = common.segment.connect(&stand_in, &surroundings.clock)?;
                let sender = Sender {
                    client: connection.client,
                    write_keys: connection.write_keys,
                    advice,
                    pace,
                    patience: Patience::default(),
                    surroundings: surroundings.clone(),
                };
                let refused =
                    RefusedFile::new(state.beside("refused.ndjson"), state.checkpoint.refused_bytes);
                Some((state, refused, sender))
            }
        };
        let what = what.to_owned();
        Ok(Self { what, to, kept, maker, limit, at_once, surroundings, all, this_run: Counts::default() })
    }

    /// Ends what an earlier run has finished.
    ///
    /// # Errors
    /// The exit code, when some could not be sent.
    pub fn was_finished(self) -> Result<(), CommandError> {
        self.end(End::WasFinished)
    }

    /// Does it all, and sums it up.
    ///
    /// # Errors
    /// What kept it from going on, or the exit code of an end that was said already.
    pub async fn run(mut self, mut source: impl Source) -> Result<(), CommandError> {
        if self.kept.is_some() {
            self.surroundings.progress.say(&format!("{} go to {}.", self.what, self.to));
        }
        if self.all.read > 0 {
            self.surroundings
                .progress
                .say(&format!("Going on after {} that are done.", thousands(self.all.read)));
        }
        let result = self.work(&mut source).await;
        self.surroundings.progress.end();
        let end = match &result {
            Ok(end) => *end,
            Err(error) if error.is::<Stopped>() => End::Interrupted,
            // Nobody reads on, so nobody is told.
            Err(error) if error.is::<NobodyReads>() => return result.map(drop),
            Err(_) => End::Failed,
        };
        match (self.end(end), result) {
            (_, Err(error)) if !error.is::<Stopped>() => Err(error),
            (ended, _) => ended,
        }
    }

    async fn work(&mut self, source: &mut impl Source) -> Result<End, CommandError> {
        let mut batch = Batch::default();
        loop {
            let records = match self.surroundings.stop.unless(source.read()).await? {
                Ok(records) => records,
                Err(error) => {
                    // What was read before that is good.
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
                        return Ok(End::Limit);
                    }
                }
                batch.add(record, &self.maker)?;
                if batch.messages.len() >= self.at_once || batch.counts.read >= MOST_RECORDS {
                    self.flush(&mut batch, source).await?;
                }
            }
        }
    }

    async fn finish(&mut self, source: &mut impl Source) -> Result<End, CommandError> {
        if let Some(warning) = self.surroundings.stop.unless(source.finish()).await?? {
            self.surroundings.progress.say(&warning);
        }
        if let Some((state, ..)) = &mut self.kept {
            state.checkpoint.finished = true;
            state.save()?;
        }
        Ok(End::Finished)
    }

    fn limit_is_reached(&self, batch: &Batch) -> bool {
        self.limit.is_some_and(|limit| self.this_run.sent + batch.found.len() as u64 >= limit)
    }

    /// Sends the batch, and keeps that it is sent.
    async fn flush(&mut self, batch: &mut Batch, source: &impl Source) -> Result<(), CommandError> {
        let mut batch = std::mem::take(batch);
        if batch.position.is_none() {
            return Ok(());
        }
        batch.counts.sent = batch.found.len() as u64;
        batch.counts.messages = batch.messages.len() as u64;
        match &mut self.kept {
            None => self.print(&batch)?,
            Some((state, refused_file, sender)) => {
                let refused = sender.send(std::mem::take(&mut batch.messages)).await?;
                batch.refused(refused);
                self.all.add(&batch.counts);
                let checkpoint = &mut state.checkpoint;
                checkpoint.refused_bytes = refused_file.write(&batch.refusals).map_err(|error| {
                    format!("the file of the refused cannot be written: {error}; make room, and give the same command")
                })?;
                checkpoint.counts = self.all.clone();
                checkpoint.position = batch.position.or(checkpoint.position.take());
                state.save()?;
            }
        }
        self.this_run.add(&batch.counts);
        if self.kept.is_none() {
            self.all = self.this_run.clone();
        }
        self.surroundings.progress.update(batch.done, source.total(), self.this_run.read);
        Ok(())
    }

    /// What a dry run does with a batch.
    fn print(&self, batch: &Batch) -> Result<(), CommandError> {
        let more = REFUSALS_SAID.saturating_sub(self.this_run.refused());
        for refusal in batch.refusals.iter().take(usize::try_from(more).unwrap_or_default()) {
            self.surroundings.progress.say(&format!("{}: {}.", refusal.place, refusal.problem));
        }
        let lines: String =
            batch.messages.iter().map(|outgoing| format!("{}\n", outgoing.message.as_json())).collect();
        if lines.is_empty() { Ok(()) } else { output::print_json(lines) }
    }

    fn end(&self, end: End) -> Result<(), CommandError> {
        let refused_file = self.kept.as_ref().and_then(|(_, refused, _)| refused.path());
        let summary = Summary {
            what: &self.what,
            end,
            dry_run: self.kept.is_none(),
            all: &self.all,
            this_run: &self.this_run,
            took: self.surroundings.progress.elapsed(),
            refused_file: refused_file.map(std::path::PathBuf::as_path),
        };
        summary.say(&self.surroundings.progress);
        if self.kept.is_some() {
            // It names the place that was read from.
            output::print_json(redact::passwords(&summary.json().to_string()))?;
        }
        match end {
            End::Interrupted => Err(Box::new(Exit(INTERRUPTED))),
            _ if self.all.refused() > 0 => Err(Box::new(Exit(SOME_REFUSED))),
            _ => Ok(()),
        }
    }
}
