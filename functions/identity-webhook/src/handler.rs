//! The webhook's way through: route, shape, authentication, mapping, topic, answer. Lambda and the local
//! server call the same function.

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use platform::{
    clock::SharedClock,
    secrets::CachedSecret,
    telemetry::{Chain, Event, record},
    topic::{Publication, Topic},
};

use crate::{
    Authentication, Config, MapError, Mapped, Mapping, Refusal,
    authentication::KeySets,
    providers::{self, Provider},
    response::{self, Failure},
};

/// The largest body, in bytes. FusionAuth's events are some KB; a user's free-form data may make them larger.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How long the topic may take. FusionAuth waits some seconds for an answer and then counts a failure.
pub const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);

/// Everything that a webhook needs.
pub struct Handler<T> {
    topic: T,
    config: Config,
    authentication: CachedSecret<Authentication>,
    key_sets: KeySets,
    clock: SharedClock,
}

impl<T: Topic> Handler<T> {
    /// A handler that publishes to `topic`. `client` fetches key sets; it must not follow redirects.
    pub fn new(
        topic: T,
        config: Config,
        authentication: CachedSecret<Authentication>,
        client: reqwest::Client,
        clock: SharedClock,
    ) -> Self {
        Self { topic, config, authentication, key_sets: KeySets::new(client, clock.clone()), clock }
    }

    /// Reads the secret and the key sets before the first request. What fails is logged and tried again then.
    pub async fn prepare(&self) {
        match self.authentication.get().await {
            Ok(authentication) => authentication.prepare(&self.key_sets).await,
            Err(error) => log_unreadable(&error),
        }
    }

    /// Answers a request. An answer of 200 means that every message made from it is stored in the topic.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<String> {
        let path = request.uri().path().trim_end_matches('/');
        if path.rsplit('/').next() == Some("health") && !path.contains("/identity/") {
            let known = request.method() == Method::GET || request.method() == Method::HEAD;
            return if known { response::healthy() } else { refuse(&Failure::Method(Method::GET)) };
        }
        match self.accept(path, &request).await {
            Ok(accepted) => response::accepted(accepted),
            Err(failure) => refuse(&failure),
        }
    }

    async fn accept(&self, path: &str, request: &Request<Bytes>) -> Result<usize, Failure> {
        // A stage name or a base path may come before.
        let provider = path
            .rfind("/identity/")
            .and_then(|at| providers::find(&path[at + "/identity/".len()..]))
            .ok_or_else(|| Failure::NotFound(providers::names().join(", ")))?;
        if request.method() != Method::POST {
            return Err(Failure::Method(Method::POST));
        }
        check_shape(request)?;
        self.authenticate(provider, request.headers(), request.body()).await?;
        let mapped = match (provider.map)(request.body(), &self.config) {
            Ok(Mapping::Messages(mapped)) => mapped,
            Ok(Mapping::Ignored(ignored)) => {
                tracing::debug!(reason = %ignored, "A webhook made no message.");
                record(Event::Ignored, ignored.as_str(), 1);
                return Ok(0);
            }
            Err(error @ MapError::Unusable(_)) => return Err(Failure::Unusable(error)),
            Err(error) => return Err(Failure::Malformed(error)),
        };
        self.publish(&mapped).await?;
        Ok(mapped.len())
    }

    async fn authenticate(
        &self,
        provider: &Provider,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Failure> {
        let known = self.authentication.get().await.map_err(no_settings)?;
        let mut result = self.check(&known, provider, headers, body).await;
        if result.is_err_and(Refusal::may_be_cured_by_a_newer_secret) {
            // The secret may have been changed since it was read.
            let newer = self.authentication.refreshed().await.map_err(no_settings)?;
            if !Arc::ptr_eq(&known, &newer) {
                result = self.check(&newer, provider, headers, body).await;
            }
        }
        result.map_err(|refusal| match refusal.is_temporary() {
            true => Failure::Unchecked(refusal),
            false => Failure::NotAuthentic(refusal),
        })
    }

    async fn check(
        &self,
        authentication: &Authentication,
        provider: &Provider,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let now = self.clock.now();
        match authentication.check(provider, headers, body, &self.key_sets, now).await {
            Err(Refusal::NotConfigured) if self.config.allow_unsigned => Ok(()),
            result => result,
        }
    }

    async fn publish(&self, mapped: &[Mapped]) -> Result<(), Failure> {
        let publications =
            mapped.iter().map(|mapped| Publication::new(&mapped.message, &mapped.write_key)).collect();
        match tokio::time::timeout(PUBLISH_DEADLINE, self.topic.publish(publications)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::error!(error = %Chain(&error), "The topic did not take the messages.");
                return Err(Failure::NotStored);
            }
            Err(_) => {
                tracing::error!(deadline = ?PUBLISH_DEADLINE, "The topic did not answer in time.");
                return Err(Failure::NotStored);
            }
        }
        for mapped in mapped {
            let message_id = mapped.message.message_id();
            if !mapped.left_out.is_empty() {
                let left_out = mapped.left_out.join(", ");
                tracing::warn!(message_id, left_out, "A message above 32 KB goes without some traits.");
            }
            tracing::debug!(message_id, event_type = mapped.event_type, "A message was published.");
            record(Event::Accepted, mapped.event_type, 1);
        }
        Ok(())
    }
}

/// What can be told without reading the body.
fn check_shape(request: &Request<Bytes>) -> Result<(), Failure> {
    if request.body().len() > MAX_BODY_BYTES {
        return Err(Failure::TooLarge);
    }
    let text = |name| {
        let value = request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
        value.unwrap_or_default().trim().to_ascii_lowercase()
    };
    if !matches!(text(header::CONTENT_ENCODING).as_str(), "" | "identity") {
        return Err(Failure::Encoded);
    }
    let content_type = text(header::CONTENT_TYPE);
    if content_type.is_empty() || content_type.contains("json") { Ok(()) } else { Err(Failure::ContentType) }
}

fn refuse(failure: &Failure) -> Response<String> {
    tracing::warn!(reason = %failure, "A webhook was refused.");
    record(Event::Refused, failure.code(), 1);
    failure.response()
}

fn no_settings(error: impl Error) -> Failure {
    log_unreadable(&error);
    Failure::NoSettings
}

fn log_unreadable(error: &dyn Error) {
    tracing::error!(error = %Chain(error), "The identity secret could not be read.");
}
