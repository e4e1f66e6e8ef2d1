//! Writes messages into PostgreSQL, and retries what it does not take now.

use std::time::Duration;

use delivery::{Failure, Outcome};
use segment::Message;
use warehouse_delivery::{Routed, WarehouseDestination};

use super::{
    batch::{NotSent, Outgoing},
    context::Context,
    pace::{Pace, Retries},
};
use crate::error::CommandError;

/// How many messages are written in one transaction. More are hardly faster.
pub const BATCH_SIZE: usize = 1_000;

/// Failures that last until a person changes something about the database.
const LASTING: [&str; 3] = ["authentication", "read_only", "secret_unavailable"];

/// Failures that last until a person changes something about the database or one of its tables.
const LASTING_OF_TABLES: [&str; 2] = ["permission", "refused"];

/// Writes batches.
pub struct Writer {
    /// The database.
    pub destination: WarehouseDestination,
    /// The rate limit, if the user sets one.
    pub pace: Option<Pace>,
    /// The retries of the database.
    pub retries: Retries,
    /// The clock and the stop signal.
    pub context: Context,
}

impl Writer {
    /// Writes a batch until PostgreSQL has taken or permanently refused each message. Returns those without a row.
    ///
    /// A transaction in progress is never canceled: a stop takes effect before or after it.
    ///
    /// # Errors
    /// When the database fails for too long or needs a change, or the run is to stop. Some messages of the batch may be
    /// written then. The next run writes them again, which changes nothing.
    pub async fn send(&mut self, batch: Vec<Outgoing>) -> Result<Vec<(Outgoing, NotSent)>, CommandError> {
        let mut waiting: Vec<Waiting> = batch.into_iter().map(|one| self.read(one)).collect();
        let (mut not_sent, mut attempts, mut has_written) = (Vec::new(), 0, false);
        while !waiting.is_empty() {
            let Context { clock, stop, .. } = &self.context;
            if let Some(pace) = &mut self.pace {
                stop.unless(clock.sleep(pace.wait(clock.steady(), waiting.len()))).await?;
            }
            let routed: Vec<&Routed> = waiting.iter().map(|one| &one.routed).collect();
            let outcomes = self.destination.write_all(&routed, attempts).await;
            attempts += 1;
            let mut failing = Vec::new();
            let (mut retry, mut still_waiting, mut held) = (None, Vec::new(), None);
            for (one, outcome) in waiting.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Delivered => has_written = true,
                    Outcome::Ignored(reason) => not_sent.push((one, NotSent::Skipped(reason))),
                    Outcome::Rejected(Failure { code, reason, .. })
                    | Outcome::Refused(Failure { code, reason, .. }) => {
                        not_sent.push((one, NotSent::Refused(code, reason)));
                    }
                    Outcome::Retry { failure, .. } | Outcome::Postponed { failure, .. } => {
                        failing.push((one, failure));
                    }
                    Outcome::Held(wait) => {
                        held = Some(held.map_or(wait, |held: Duration| held.min(wait)));
                        still_waiting.push(one);
                    }
                }
            }
            for (one, failure) in failing {
                let is_of_table = LASTING_OF_TABLES.contains(&failure.code);
                // The database takes others of the batch, so one of its tables needs the change.
                if is_of_table && has_written {
                    not_sent.push((one, NotSent::Refused(failure.code, failure.reason)));
                } else if is_of_table || LASTING.contains(&failure.code) {
                    let reason = failure.reason;
                    return Err(format!("{reason}; change that, then run the same command again").into());
                } else {
                    retry = Some(failure);
                    still_waiting.push(one);
                }
            }
            waiting = still_waiting;
            match (retry, held) {
                (Some(failure), _) => {
                    let failed = (failure.reason, failure.code != "connection", None);
                    let advice = "check --warehouse, or wait until the database is back";
                    self.context.back_off(&mut self.retries, failed, advice).await?;
                }
                (None, Some(wait)) => {
                    let Context { clock, stop, .. } = &self.context;
                    stop.unless(clock.sleep(wait)).await?;
                }
                (None, None) => self.retries.succeeded(),
            }
        }
        let sent_back = |(one, why): (Waiting, NotSent)| Ok((one.outgoing()?, why));
        not_sent.into_iter().map(sent_back).collect()
    }

    fn read(&self, outgoing: Outgoing) -> Waiting {
        let Outgoing { message, write_key, record } = outgoing;
        let json = message.as_json().to_owned();
        Waiting { routed: self.destination.read(message, &write_key), json, write_key, record }
    }
}

/// A message that is not written yet.
struct Waiting {
    routed: Routed,
    json: String,
    write_key: String,
    record: usize,
}

impl Waiting {
    /// Returns the message as it came.
    fn outgoing(self) -> Result<Outgoing, CommandError> {
        let message = Message::from_stored(&self.json)?;
        Ok(Outgoing { message, write_key: self.write_key, record: self.record })
    }
}
