//! One invocation: map, publish, give the event back.

use std::{error::Error, time::Duration};

use identity_webhook::{Authentication, Config, MapError, Mapping, log_doubts, map};
use platform::{
    clock::SharedClock,
    secrets::{CachedSecret, SecretError},
    telemetry::{self, Chain},
    topic::{Publication, PublishError, Topic},
};
use segment::{json, timestamp};
use serde_json::{json, value::RawValue};

use crate::contained::contained;

/// How long an invocation takes at most. Cognito waits for 5 s, and a cold start is part of them.
pub const DEADLINE: Duration = Duration::from_millis(2_500);

/// How long a cold start prepares the first invocation at most.
pub const START_DEADLINE: Duration = Duration::from_millis(1_500);

/// The member that is added to an event, which has neither an id nor a time of its own.
const INVOCATION: &str = "invocation";

/// What a user pool invokes.
pub struct Trigger<T> {
    topic: T,
    config: Config,
    secret: CachedSecret<Authentication>,
    clock: SharedClock,
}

/// Why an event's messages are lost. The texts quote nothing of the event.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("the identity secret, which holds the key that the mapping hashes with, could not be read")]
    Secret(#[from] SecretError),
    #[error("the event could not be mapped")]
    Map(#[from] MapError),
    #[error("the messages could not be published")]
    Publish(#[from] PublishError),
}

impl<T: Topic> Trigger<T> {
    /// A trigger that publishes to `topic`. The secret is read only where the mapping hashes something.
    pub fn new(topic: T, config: Config, secret: CachedSecret<Authentication>, clock: SharedClock) -> Self {
        Self { topic, config, secret, clock }
    }

    /// Reads the secret, if it is needed, and lets `topic` connect, so that the first invocation need not.
    pub async fn prepare(&self, topic: impl Future) {
        let secret = async {
            // A failure is tried again, and reported, then.
            let secret = match self.config.mappings.needs_hash_key() {
                true => self.secret.get().await.ok(),
                false => None,
            };
            log_doubts(&self.config.mappings, secret.as_deref());
        };
        let preparation = async { tokio::join!(secret, topic) };
        if let Err(reason) = contained(START_DEADLINE, preparation).await {
            tracing::warn!(%reason, "Not everything could be prepared during start-up.");
        }
    }

    /// Publishes what an event becomes, and gives the event back: always, unchanged, and within [`DEADLINE`].
    pub async fn handle(&self, event: Box<RawValue>, request_id: &str) -> Box<RawValue> {
        match contained(DEADLINE, self.publish(event.get().as_bytes(), request_id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => lost(
                match error {
                    Lost::Secret(_) | Lost::Map(MapError::NoHashKey) => "no_hash_key",
                    Lost::Map(_) => "unusable",
                    Lost::Publish(_) => "not_stored",
                },
                &error,
            ),
            Err(error) => lost("not_stored", &error),
        }
        event
    }

    async fn publish(&self, event: &[u8], request_id: &str) -> Result<(), Lost> {
        let mut event = json::parse_object(event).map_err(MapError::from)?;
        let now = self.clock.now();
        event.insert(INVOCATION.to_owned(), json!({"id": request_id, "time": timestamp::format(now)}));
        let secret = match self.config.mappings.needs_hash_key() {
            true => Some(self.secret.get().await?),
            false => None,
        };
        let hash_key = secret.as_ref().and_then(|secret| secret.hash_key());
        let body = json::encode(&event);
        let Mapping { messages, ignored, .. } = map("cognito", body.as_bytes(), &self.config, hash_key, now)?;
        ignored.iter().for_each(|ignored| telemetry::ignored(ignored.as_str(), 1));
        let Some(first) = messages.first() else { return Ok(()) };
        let publications = messages.iter().map(|one| Publication::new(&one.message, &one.write_key));
        self.topic.publish(publications.collect()).await?;
        telemetry::accepted(&first.event_type, messages.len());
        Ok(())
    }
}

/// Gives an event back for which there is no [`Trigger`], because of this error. It counts as lost: the invocation itself
/// succeeds, so nothing else would tell.
pub fn not_set_up(event: Box<RawValue>, error: &dyn Error) -> Box<RawValue> {
    lost("not_set_up", error);
    event
}

fn lost(reason: &'static str, error: &dyn Error) {
    tracing::error!(error = %Chain(error), "The messages of a trigger are lost.");
    telemetry::rejected(reason, 1);
}
