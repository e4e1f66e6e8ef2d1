//! Sends messages to Segment at the rate limit, and retries them.

use std::{collections::BTreeMap, sync::Arc};

use platform::{
    secrets::CachedSecret,
    write_keys::{NamedWriteKey, WriteKeys},
};
use segment::{Client, Failure, Message, Outcome};

use super::{
    batch::{NotSent, Outgoing},
    context::Context,
    pace::{Pace, Retries},
};
use crate::error::CommandError;

/// Sends batches.
pub struct Sender {
    /// The client of the destination.
    pub client: Client,
    /// The write keys by name.
    pub write_keys: Arc<CachedSecret<WriteKeys>>,
    /// The advice when nothing answers there.
    pub advice: String,
    /// The rate limit.
    pub pace: Pace,
    /// The retries of Segment.
    pub retries: Retries,
    /// The clock and the stop signal.
    pub context: Context,
}

impl Sender {
    /// Sends a batch until Segment has accepted or permanently rejected each message. Returns those that it rejected.
    ///
    /// A request in progress is never canceled: a stop takes effect before or after it.
    ///
    /// # Errors
    /// When Segment rejects everything or fails for too long, or the run is to stop. Segment may then have
    /// some messages of the batch already. The next run sends them again with the same message ids.
    pub async fn send(&mut self, batch: Vec<Outgoing>) -> Result<Vec<(Outgoing, NotSent)>, CommandError> {
        let mut by_key: BTreeMap<String, Vec<Outgoing>> = BTreeMap::new();
        for outgoing in batch {
            by_key.entry(outgoing.write_key.clone()).or_default().push(outgoing);
        }
        let mut refused = Vec::new();
        for (name, messages) in by_key {
            self.send_with(&name, messages, &mut refused).await?;
        }
        let not_sent = |(outgoing, failure): (Outgoing, Failure)| {
            (outgoing, NotSent::Refused(failure.code(), failure.to_string()))
        };
        Ok(refused.into_iter().map(not_sent).collect())
    }

    async fn send_with(
        &mut self,
        name: &str,
        mut waiting: Vec<Outgoing>,
        refused: &mut Vec<(Outgoing, Failure)>,
    ) -> Result<(), CommandError> {
        let key = NamedWriteKey { keys: self.write_keys.clone(), name: name.to_owned() };
        while !waiting.is_empty() {
            let Context { clock, stop, .. } = &self.context;
            let wait = self.pace.wait(clock.steady(), waiting.len());
            stop.unless(clock.sleep(wait)).await?;
            let messages: Vec<Message> = waiting.iter().map(|outgoing| outgoing.message.clone()).collect();
            let outcomes = self.client.send_batch(&key, &messages).await;
            let (attempted, refused_before) = (waiting.len(), refused.len());
            let mut retry = None;
            let mut still_waiting = Vec::new();
            for (outgoing, outcome) in waiting.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Delivered => {}
                    Outcome::Retry { failure, after } => {
                        retry = Some((failure, after));
                        still_waiting.push(outgoing);
                    }
                    Outcome::Rejected(failure) if concerns_one_message(&failure) => {
                        refused.push((outgoing, failure));
                    }
                    Outcome::Rejected(failure) => return Err(refuses_everything(&failure, name)),
                }
            }
            waiting = still_waiting;
            let newly = &refused[refused_before..];
            if let [(_, Failure::Status(status)), ..] = newly
                && newly.len() == attempted
                && attempted > 1
            {
                return Err(format!(
                    "Segment answered {status} to each of {attempted} messages, so no single message is at fault; check \
                     --segment-endpoint, then run the same command again"
                )
                .into());
            }
            match retry {
                Some((failure, after)) => {
                    let failed = (failure.to_string(), matches!(failure, Failure::Status(_)), after);
                    self.context.back_off(&mut self.retries, failed, &self.advice).await?;
                }
                None => self.retries.succeeded(),
            }
        }
        Ok(())
    }
}

/// Whether Segment may accept another message.
fn concerns_one_message(failure: &Failure) -> bool {
    matches!(failure, Failure::Status(400 | 413) | Failure::Invalid(_))
}

fn refuses_everything(failure: &Failure, name: &str) -> CommandError {
    let advice = match failure {
        Failure::WriteKey => {
            "set SEGMENT_WRITE_KEY to the source's write key (Segment: Connections, Sources, your source, Settings, \
             API Keys)"
        }
        Failure::NoWriteKey => {
            "add it to the JSON object in SEGMENT_WRITE_KEY, or remove it from TENANT_WRITE_KEYS"
        }
        _ => "check --segment-endpoint",
    };
    format!("{failure} ({name:?}): {advice}, then run the same command again").into()
}
