//! Bringing messages to Segment: at its pace, and again until it takes them.

use std::{collections::BTreeMap, sync::Arc};

use platform::{
    secrets::CachedSecret,
    write_keys::{NamedWriteKey, WriteKeys},
};
use segment::{Client, Failure, Message, Outcome};

use super::{
    batch::Outgoing,
    pace::{Pace, Patience},
    surroundings::Surroundings,
};
use crate::error::CommandError;

/// Sends batches.
pub struct Sender {
    /// Where to.
    pub client: Client,
    /// With which keys.
    pub write_keys: Arc<CachedSecret<WriteKeys>>,
    /// What to do when nothing answers there.
    pub advice: String,
    /// How fast.
    pub pace: Pace,
    /// How long a Segment that fails is waited for.
    pub patience: Patience,
    /// The time, and when to end.
    pub surroundings: Surroundings,
}

impl Sender {
    /// Sends a batch and returns when each of its messages is at Segment, or refused for good. Returns the refused.
    ///
    /// An exchange that is under way is never broken off: a stop counts before and after it.
    ///
    /// # Errors
    /// When Segment refuses everything, or fails for too long, or the run shall end. Messages of the batch may be at
    /// Segment then; sent again they are the same messages.
    pub async fn send(&mut self, batch: Vec<Outgoing>) -> Result<Vec<(Outgoing, Failure)>, CommandError> {
        let mut by_key: BTreeMap<String, Vec<Outgoing>> = BTreeMap::new();
        for outgoing in batch {
            by_key.entry(outgoing.write_key.clone()).or_default().push(outgoing);
        }
        let mut refused = Vec::new();
        for (name, messages) in by_key {
            self.send_with(&name, messages, &mut refused).await?;
        }
        Ok(refused)
    }

    async fn send_with(
        &mut self,
        name: &str,
        mut waiting: Vec<Outgoing>,
        refused: &mut Vec<(Outgoing, Failure)>,
    ) -> Result<(), CommandError> {
        let key = NamedWriteKey { keys: self.write_keys.clone(), name: name.to_owned() };
        while !waiting.is_empty() {
            let Surroundings { clock, stop, .. } = &self.surroundings;
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
                    Outcome::Rejected(failure) if is_of_the_message(&failure) => {
                        refused.push((outgoing, failure));
                    }
                    Outcome::Rejected(failure) => return Err(of_everything(&failure, name)),
                }
            }
            waiting = still_waiting;
            let newly = &refused[refused_before..];
            if let [(_, Failure::Status(status)), ..] = newly
                && newly.len() == attempted
                && attempted > 1
            {
                return Err(format!(
                    "Segment answered {status} to each of {attempted} messages, so it is not about one of them; check \
                     --segment-endpoint, then give the same command"
                )
                .into());
            }
            match retry {
                Some((failure, after)) => {
                    let failed = (failure.to_string(), matches!(failure, Failure::Status(_)), after);
                    self.surroundings.try_again(&mut self.patience, failed, &self.advice).await?;
                }
                None => self.patience.succeeded(),
            }
        }
        Ok(())
    }
}

/// Whether another message may fare better.
fn is_of_the_message(failure: &Failure) -> bool {
    matches!(failure, Failure::Status(400 | 413) | Failure::Invalid(_))
}

fn of_everything(failure: &Failure, name: &str) -> CommandError {
    let advice = match failure {
        Failure::WriteKey => {
            "set SEGMENT_WRITE_KEY to the source's write key (Segment: Connections, Sources, your source, Settings, \
             API Keys)"
        }
        Failure::NoWriteKey => {
            "add it to the JSON object in SEGMENT_WRITE_KEY, or take it out of TENANT_WRITE_KEYS"
        }
        _ => "check --segment-endpoint",
    };
    format!("{failure} ({name:?}): {advice}; then the same command goes on").into()
}
