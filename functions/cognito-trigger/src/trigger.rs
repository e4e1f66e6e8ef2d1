//! Handles one invocation: map, publish, return the event.

use std::{error::Error, time::Duration};

use identity::{Body, Config, HashKey, MapError, Mapper, Mapping, providers::COGNITO};
use platform::{
    clock::SharedClock,
    secrets::{CachedSecret, SecretError},
    telemetry::{self, Chain},
    topic::{Publication, PublishError, Topic},
};
use segment::{json, timestamp};
use serde_json::{json, value::RawValue};

use crate::guarded::guarded;

/// The longest time for one invocation. Cognito waits for 5 s, including a cold start.
pub const DEADLINE: Duration = Duration::from_millis(2_500);

/// The longest time that a cold start may spend on preparing the first invocation.
pub const START_DEADLINE: Duration = Duration::from_millis(1_500);

/// The member that is added to an event, because the event has neither an id nor a time.
const INVOCATION: &str = "invocation";

/// The trigger that a user pool invokes.
pub struct Trigger<T> {
    topic: T,
    config: Config,
    secret: CachedSecret<Option<HashKey>>,
    clock: SharedClock,
}

/// Why an event's messages are lost. The texts quote nothing from the event.
#[derive(Debug, thiserror::Error)]
enum TriggerError {
    #[error(
        "the identity secret, which holds the mapping's hash key, could not be read; check the function's permission"
    )]
    Secret(#[from] SecretError),
    #[error("the event could not be mapped")]
    Map(#[from] MapError),
    #[error("the messages could not be published")]
    Publish(#[from] PublishError),
}

impl<T: Topic> Trigger<T> {
    /// Returns a trigger that publishes to `topic`. The secret is read only if the mapping hashes a field.
    pub fn new(topic: T, config: Config, secret: CachedSecret<Option<HashKey>>, clock: SharedClock) -> Self {
        Self { topic, config, secret, clock }
    }

    /// Reads the secret, if it is needed, and lets `topic` connect, so that the first invocation need not.
    pub async fn prepare(&self, topic: impl Future) {
        let secret = async {
            let mappings = &self.config.mappings;
            // If this fails, the first invocation tries again and reports it.
            let warnings = match self.hash_key().await {
                Ok(hash_key) => mappings.setting_warnings(hash_key.as_ref()),
                Err(_) => mappings.warnings().collect(),
            };
            for warning in warnings {
                tracing::warn!(doubt = warning, "A setting may be a mistake.");
            }
        };
        let preparation = async { tokio::join!(secret, topic) };
        if let Err(reason) = guarded(START_DEADLINE, preparation).await {
            tracing::warn!(%reason, "Start-up did not finish in time; the first event will take longer.");
        }
    }

    /// Publishes the messages of an event. Always returns the event, unchanged and within [`DEADLINE`].
    pub async fn handle(&self, event: Box<RawValue>, request_id: &str) -> Box<RawValue> {
        match guarded(DEADLINE, self.publish(event.get().as_bytes(), request_id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log_lost(
                match error {
                    TriggerError::Secret(_) | TriggerError::Map(MapError::NoHashKey) => "no_hash_key",
                    TriggerError::Map(_) => "unusable",
                    TriggerError::Publish(_) => "not_stored",
                },
                &error,
            ),
            Err(error) => log_lost("not_stored", &error),
        }
        event
    }

    /// Returns the mapping's hash key, if the mapping hashes a field and the secret has a key.
    async fn hash_key(&self) -> Result<Option<HashKey>, SecretError> {
        match self.config.mappings.needs_hash_key() {
            true => Ok((*self.secret.get().await?).clone()),
            false => Ok(None),
        }
    }

    async fn publish(&self, bytes: &[u8], request_id: &str) -> Result<(), TriggerError> {
        let mut event = json::parse_object(bytes).map_err(MapError::from)?;
        let now = self.clock.now();
        event.insert(INVOCATION.to_owned(), json!({"id": request_id, "time": timestamp::format(now)}));
        let hash_key = self.hash_key().await?;
        let body = Body::parsed(COGNITO, event, bytes);
        let mapper = Mapper::new(&self.config, hash_key.as_ref(), now);
        let Mapping { messages, ignored, .. } = mapper.map(body.events()?)?;
        ignored.iter().for_each(|ignored| telemetry::ignored(ignored.as_str(), 1));
        let Some(first) = messages.first() else { return Ok(()) };
        let publications = messages.iter().map(|one| Publication::new(&one.message, &one.write_key));
        self.topic.publish(publications.collect()).await?;
        telemetry::accepted(&first.event_type, messages.len());
        Ok(())
    }
}

/// Returns an event for which there is no [`Trigger`] because of this error, and counts its messages as lost.
/// The invocation succeeds, so nothing else would show the error.
pub fn not_set_up(event: Box<RawValue>, error: &dyn Error) -> Box<RawValue> {
    log_lost("not_set_up", error);
    event
}

fn log_lost(reason: &'static str, error: &dyn Error) {
    tracing::error!(error = %Chain(error), "The messages of a trigger are lost.");
    telemetry::rejected(reason, 1);
}
