//! Writes messages into PostgreSQL, and retries what it does not take now.

use delivery::{Failure, Outcome};
use segment::Message;
use warehouse_delivery::WarehouseDestination;

use super::{
    batch::{NotSent, Outgoing},
    context::Context,
    pace::{Pace, Retries},
};
use crate::error::CommandError;

/// How many messages are written in one transaction. More are hardly faster.
pub const BATCH_SIZE: usize = 1_000;

/// Failures that last until a person changes something.
const LASTING: [&str; 5] = ["authentication", "permission", "read_only", "refused", "secret_unavailable"];

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
        let (mut waiting, mut not_sent, mut attempts) = (batch, Vec::new(), 0);
        while !waiting.is_empty() {
            let Context { clock, stop, .. } = &self.context;
            if let Some(pace) = &mut self.pace {
                stop.unless(clock.sleep(pace.wait(clock.steady(), waiting.len()))).await?;
            }
            let messages: Vec<(Message, String)> =
                waiting.iter().map(|one| (one.message.clone(), one.write_key.clone())).collect();
            let outcomes = self.destination.write_messages(&messages, attempts).await;
            attempts += 1;
            let (mut retry, mut still_waiting) = (None, Vec::new());
            for (outgoing, outcome) in waiting.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Delivered => {}
                    Outcome::Ignored(reason) => not_sent.push((outgoing, NotSent::Skipped(reason))),
                    Outcome::Rejected(Failure { code, reason, .. })
                    | Outcome::Refused(Failure { code, reason, .. }) => {
                        not_sent.push((outgoing, NotSent::Refused(code, reason)));
                    }
                    Outcome::Retry { failure, .. } | Outcome::Postponed { failure, .. } => {
                        retry = Some(failure);
                        still_waiting.push(outgoing);
                    }
                    Outcome::Held(_) => still_waiting.push(outgoing),
                }
            }
            waiting = still_waiting;
            match retry {
                Some(failure) if LASTING.contains(&failure.code) => {
                    return Err(format!("{}; then run the same command again", failure.reason).into());
                }
                Some(failure) => {
                    let failed = (failure.reason, failure.code != "connection", None);
                    self.context.back_off(&mut self.retries, failed, "wait until it is back").await?;
                }
                None => self.retries.succeeded(),
            }
        }
        Ok(not_sent)
    }
}
