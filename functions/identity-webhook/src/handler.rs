//! Handles a webhook: route, shape, authentication, mapping, topic, answer. Lambda and the local server call
//! the same function.

use std::{error::Error, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use identity::{Config, EntryPoint, Ignored, Mapped, Mapper, Mapping, Provider, Signature};
use platform::{
    clock::SharedClock,
    ledger::Ledger,
    secrets::CachedSecret,
    tally::Tally,
    telemetry::{self, Chain},
    topic::{Publication, Topic, stored_in_time},
};
use serde_json::json;
use tokio::time::timeout;

use crate::{
    authentication::{Authentication, KeySets, Refusal},
    response::{self, Failure},
};

/// The largest body, in bytes. Lambda takes 6 MB in one call, including API Gateway's additions. A log
/// stream's batch may be that large.
pub const MAX_BODY_BYTES: usize = 6_000_000;

/// Everything that a webhook needs, except the topic.
pub struct Handler<L> {
    pub(crate) ledger: L,
    config: Config,
    takes_unsigned: bool,
    authentication: CachedSecret<Authentication>,
    key_sets: KeySets,
    pub(crate) clock: SharedClock,
}

/// The result of a request.
pub struct Answer {
    /// The response to the sender.
    pub response: Response<String>,
    /// The messages of its body, and the reasons for missing ones, if the body was accepted.
    pub mapping: Option<Mapping>,
}

impl From<Response<String>> for Answer {
    fn from(response: Response<String>) -> Self {
        Self { response, mapping: None }
    }
}

impl<L: Ledger> Handler<L> {
    /// Returns a handler that asks `ledger` who signed up before. `client` fetches key sets; it must not
    /// follow redirects.
    pub fn new(
        ledger: L,
        config: Config,
        authentication: CachedSecret<Authentication>,
        client: reqwest::Client,
        clock: SharedClock,
    ) -> Self {
        let key_sets = KeySets::new(client, clock.clone());
        Self { ledger, config, takes_unsigned: false, authentication, key_sets, clock }
    }

    /// Sets whether the handler accepts requests without proof when no authentication is configured. No
    /// environment variable of a function sets this. Only a program that listens on loopback, or whose user
    /// asked for it, may set it.
    #[must_use]
    pub fn taking_unsigned(self, takes_unsigned: bool) -> Self {
        Self { takes_unsigned, ..self }
    }

    /// Reads the secret and the key sets before the first request, and logs settings that may be mistakes. A
    /// failed read is logged, and the first request tries again.
    pub async fn prepare(&self) {
        match self.authentication.get().await {
            Ok(authentication) => {
                log_setting_warnings(self.config.mappings.setting_warnings(authentication.hash_key()));
                authentication.prepare(&self.key_sets).await;
            }
            Err(error) => {
                log_setting_warnings(self.config.mappings.warnings());
                log_unreadable(&error);
            }
        }
    }

    /// Whether the secret has a proof for logins, which need the ledger.
    pub async fn takes_logins(&self) -> bool {
        self.authentication.get().await.is_ok_and(|authentication| authentication.takes_logins())
    }

    /// Answers a request. With 200, every message of the request is stored in `topic`, which may be one that
    /// knows the request.
    pub async fn handle(&self, request: Request<Bytes>, topic: &impl Topic) -> Answer {
        let path = request.uri().path().trim_end_matches('/');
        if path.rsplit('/').next() == Some("health") && !path.contains("/identity/") {
            let known = request.method() == Method::GET || request.method() == Method::HEAD;
            return if known {
                response::ok(&json!({"status": "ok"})).into()
            } else {
                refuse(&Failure::Method(Method::GET))
            };
        }
        self.accept(path, &request, topic).await.unwrap_or_else(|failure| refuse(&failure))
    }

    async fn accept(
        &self,
        path: &str,
        request: &Request<Bytes>,
        topic: &impl Topic,
    ) -> Result<Answer, Failure> {
        let provider = address_of(path)
            .and_then(|address| self.config.providers().at_address(address))
            .ok_or_else(|| Failure::NotFound(self.config.providers().addresses().join(", ")))?;
        if let Some(challenge) = challenge(provider, request) {
            return Ok(response::ok(&json!({"verification": challenge})).into());
        }
        if request.method() != Method::POST {
            return Err(Failure::Method(Method::POST));
        }
        check_shape(provider, request)?;
        if provider.entry_point == EntryPoint::Login {
            let log_in = async {
                let authentication = self.authenticate(provider, request).await?;
                self.log_in(provider, &self.mapper(&authentication), request.body(), topic).await
            };
            // Somebody waits for the login, so its total time is limited.
            return timeout(provider.deadline, log_in).await.unwrap_or(Err(Failure::TooSlow));
        }
        let authentication = self.authenticate(provider, request).await?;
        let mapping = self.mapper(&authentication).map(provider.read(request.body())?.events()?)?;
        count(&mapping);
        self.publish(provider, &mapping.messages, topic).await?;
        let response = match provider.answer {
            identity::Answer::Accepted => response::ok(&json!({"accepted": mapping.messages.len()})),
            identity::Answer::Fixed { status, body } => response::fixed(status, body),
        };
        Ok(Answer { response, mapping: Some(mapping) })
    }

    fn mapper<'a>(&'a self, authentication: &'a Authentication) -> Mapper<'a> {
        Mapper::new(&self.config, authentication.hash_key(), self.clock.now())
    }

    async fn authenticate(
        &self,
        provider: &Provider,
        request: &Request<Bytes>,
    ) -> Result<Arc<Authentication>, Failure> {
        let mut known = self.authentication.get().await.map_err(no_settings)?;
        let (headers, body) = (request.headers(), request.body());
        let mut result = self.check(&known, provider, headers, body).await;
        let mut may_pass = false;
        if self.authentication.may_change() && result.is_err_and(Refusal::may_pass_with_newer_secret) {
            // The secret may have changed since it was read.
            let newer = self.authentication.refreshed().await.map_err(no_settings)?;
            if Arc::ptr_eq(&known, &newer) {
                // The secret was read a moment ago, and will be read again in a moment.
                may_pass = provider.refusals_are_final;
            } else {
                result = self.check(&newer, provider, headers, body).await;
                known = newer;
            }
        }
        match result {
            Ok(()) => Ok(known),
            Err(refusal) if may_pass => Err(Failure::NotYetRefused(refusal)),
            Err(refusal) if refusal.is_temporary() => Err(Failure::Unchecked(refusal)),
            Err(refusal) => Err(Failure::NotAuthentic(refusal)),
        }
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
            Err(Refusal::NotConfigured) if self.takes_unsigned => Ok(()),
            result => result,
        }
    }

    pub(crate) async fn publish(
        &self,
        provider: &Provider,
        mapped: &[Mapped],
        topic: &impl Topic,
    ) -> Result<(), Failure> {
        if mapped.is_empty() {
            return Ok(());
        }
        let publications =
            mapped.iter().map(|mapped| Publication::new(&mapped.message, &mapped.write_key)).collect();
        if !stored_in_time("topic", provider.deadline, topic.publish(publications)).await {
            return Err(Failure::NotStored);
        }
        let mut tally = Tally::default();
        for mapped in mapped {
            let message_id = mapped.message.message_id();
            if !mapped.left_out.is_empty() {
                let left_out = mapped.left_out.join(", ");
                tracing::warn!(message_id, left_out, "A message above 32 KB is sent without some fields.");
            }
            tracing::debug!(message_id, event_type = &*mapped.event_type, "A message was published.");
            tally.accepted(&mapped.event_type);
        }
        tally.record();
        Ok(())
    }
}

/// Returns the part of a path that names the provider, such as `auth0/logs` in `/identity/auth0/logs`. A
/// stage name or a base path may come before.
pub fn address_of(path: &str) -> Option<&str> {
    let path = path.trim_end_matches('/');
    path.rfind("/identity/").map(|at| &path[at + "/identity/".len()..])
}

/// Returns the challenge that a provider expects in the answer to its GET request, with which it verifies the
/// address. The challenge proves nothing, so the request has no other effect.
fn challenge<'r>(provider: &Provider, request: &'r Request<Bytes>) -> Option<&'r str> {
    let value = request.headers().get(provider.challenge?)?.to_str().ok()?;
    (request.method() == Method::GET && value.len() <= MAX_CHALLENGE_BYTES).then_some(value)
}

/// The longest challenge that is answered. Okta's challenges have about 40 characters.
const MAX_CHALLENGE_BYTES: usize = 1024;

/// Counts events that made no message, and replaced times, by reason.
pub(crate) fn count(mapping: &Mapping) {
    let mut tally = Tally::default();
    for ignored in &mapping.ignored {
        match ignored {
            // The provider gets no error, because it would not send the event again.
            Ignored::Unusable(_) => tracing::warn!(reason = %ignored, "An event made no message."),
            _ => tracing::debug!(reason = %ignored, "An event made no message."),
        }
        tally.ignored(ignored.as_str());
    }
    for fault in &mapping.times {
        tally.corrected(fault.code());
    }
    tally.record();
}

/// Checks everything that can be checked without reading the body.
fn check_shape(provider: &Provider, request: &Request<Bytes>) -> Result<(), Failure> {
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
    // Auth0's log streams send a content type that somebody typed.
    let text = content_type.starts_with("text/plain");
    let jwt = content_type.starts_with("application/jwt")
        && matches!(provider.signature, Some(Signature::WholeBody));
    if content_type.is_empty() || content_type.contains("json") || text || jwt {
        Ok(())
    } else {
        Err(Failure::ContentType)
    }
}

fn refuse(failure: &Failure) -> Answer {
    tracing::warn!(reason = %failure, "A webhook was rejected.");
    telemetry::rejected(failure.code(), 1);
    failure.response().into()
}

fn no_settings(error: impl Error) -> Failure {
    log_unreadable(&error);
    Failure::NoSettings
}

fn log_setting_warnings(warnings: impl IntoIterator<Item = String>) {
    for warning in warnings {
        tracing::warn!(doubt = warning, "A setting may be a mistake.");
    }
}

fn log_unreadable(error: &dyn Error) {
    tracing::error!(error = %Chain(error), "The identity secret could not be read.");
}
