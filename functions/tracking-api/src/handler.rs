//! The request's way through: route, body, write keys, messages, topic, answer. Lambda and the local server
//! call the same function.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, header};
use platform::{
    clock::SharedClock,
    secrets::{CachedSecret, SecretError},
    telemetry::{self, Chain},
    topic::{Publication, Topic},
    write_keys::WriteKeys,
};

use crate::{
    body,
    checked::Checked,
    enrich::Receipt,
    intake::Intake,
    keys_in_body,
    response::{self, Failure},
    route::{self, Call},
    write_key::{self, Refusal},
};

/// The largest body, in bytes. A larger one is answered 400, as Segment does.
pub const MAX_BODY_BYTES: usize = segment::MAX_REQUEST_BYTES;

/// How long the topic may take. Segment's libraries wait 10 s for an answer and then send again.
pub const PUBLISH_DEADLINE: Duration = Duration::from_secs(5);

/// Everything that a call needs.
pub struct Handler<T> {
    topic: T,
    write_keys: Arc<CachedSecret<WriteKeys>>,
    clock: SharedClock,
}

impl<T: Topic> Handler<T> {
    /// A handler that publishes to `topic` what comes with one of the write keys.
    pub fn new(topic: T, write_keys: Arc<CachedSecret<WriteKeys>>, clock: SharedClock) -> Self {
        Self { topic, write_keys, clock }
    }

    /// Reads the write keys before the first request. A failure is logged, and they are read again then.
    pub async fn prepare(&self) {
        if let Err(error) = self.write_keys.get().await {
            log_unreadable(&error);
        }
    }

    /// Answers a request from the address `caller`. An answer of 200 means that every message is stored in the
    /// topic; one of 400 that lists `invalid` messages means that all others are.
    pub async fn handle(&self, request: Request<Bytes>, caller: Option<IpAddr>) -> Response<String> {
        self.accept(&request, caller).await.unwrap_or_else(|failure| refuse(&failure))
    }

    /// The answer to a request whose head is enough to refuse it: its body need not be read.
    pub async fn refusal<B>(&self, request: &Request<B>) -> Option<Response<String>> {
        self.check_head(request).await.err().map(|failure| refuse(&failure))
    }

    async fn accept(
        &self,
        request: &Request<Bytes>,
        caller: Option<IpAddr>,
    ) -> Result<Response<String>, Failure> {
        let Some((call, in_head, mut names)) = self.check_head(request).await? else {
            return Ok(response::preflight());
        };
        // A sender without a write key must not cost a tree of its body.
        let text = body::text(request.headers(), request.body())?;
        if in_head.is_empty() {
            let in_body = keys_in_body::find(&text)?;
            names = self.names(&in_body.iter().map(String::as_str).collect()).await?;
        }
        let intake = Intake::read(call, &text)?;
        let keys: BTreeSet<&str> = in_head.iter().map(String::as_str).chain(intake.write_keys()).collect();
        // Those of the head, or of a body without any there, are known by now.
        if keys.is_empty() || keys.iter().any(|key| !names.contains_key(*key)) {
            names = self.names(&keys).await?;
        }
        let receipt = Receipt {
            received_at: self.clock.now(),
            caller,
            has_origin: request.headers().contains_key(header::ORIGIN),
        };
        let checked = Checked::new(intake, in_head.first().map(String::as_str), &names, &receipt)?;
        self.publish(checked.publications).await?;
        for (message_type, count) in &checked.accepted {
            telemetry::accepted(message_type, *count);
        }
        let Some(first) = checked.invalid.first() else { return Ok(response::accepted()) };
        let (field, problem, count) = (first.field, &first.problem, checked.invalid.len());
        tracing::warn!(
            field,
            problem,
            count,
            "Messages were rejected; this is what is wrong with the first."
        );
        telemetry::rejected("invalid", count);
        Ok(response::partly_accepted(checked.accepted.values().sum(), &checked.invalid))
    }

    /// The call, and the write keys in the head with their names; None for a browser's question.
    async fn check_head<B>(
        &self,
        request: &Request<B>,
    ) -> Result<Option<(Call, Vec<String>, BTreeMap<String, String>)>, Failure> {
        let call = route::find(request.uri().path()).ok_or(Failure::NotFound)?;
        match *request.method() {
            Method::POST => {}
            Method::OPTIONS => return Ok(None),
            _ => return Err(Failure::Method),
        }
        let in_head = write_key::in_head(request)?;
        let names = match in_head.is_empty() {
            true => BTreeMap::new(),
            false => self.names(&in_head.iter().map(String::as_str).collect()).await?,
        };
        Ok(Some((call, in_head, names)))
    }

    /// The names of these write keys, all of which must be known.
    async fn names(&self, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, Failure> {
        let known = self.write_keys.get().await.map_err(|error| no_write_keys(&error))?;
        if keys.is_empty() {
            return Err(Refusal::Missing.into());
        }
        if let Some(names) = write_key::names(&known, keys) {
            return Ok(names);
        }
        // One may have been added to the secret since it was read.
        let newer = self.write_keys.refreshed().await.map_err(|error| no_write_keys(&error))?;
        let names = if Arc::ptr_eq(&known, &newer) { None } else { write_key::names(&newer, keys) };
        Ok(names.ok_or(Refusal::Unknown)?)
    }

    async fn publish(&self, publications: Vec<Publication>) -> Result<(), Failure> {
        if publications.is_empty() {
            return Ok(());
        }
        match tokio::time::timeout(PUBLISH_DEADLINE, self.topic.publish(publications)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::error!(error = %Chain(&error), "The topic did not take the messages.");
                Err(Failure::NotStored)
            }
            Err(_) => {
                tracing::error!(deadline = ?PUBLISH_DEADLINE, "The topic did not answer in time.");
                Err(Failure::NotStored)
            }
        }
    }
}

fn refuse(failure: &Failure) -> Response<String> {
    tracing::warn!(reason = %failure, "A request was rejected.");
    telemetry::rejected(failure.code(), 1);
    failure.response()
}

/// A secret without a usable key refuses everybody, for no retry cures that. One that was not reached may be
/// there the next time.
fn no_write_keys(error: &SecretError) -> Failure {
    log_unreadable(error);
    match error {
        SecretError::Parse(_) => Refusal::NotConfigured.into(),
        SecretError::Fetch(_) => Failure::NoWriteKeys,
    }
}

fn log_unreadable(error: &SecretError) {
    tracing::error!(error = %Chain(error), "There are no write keys, so no request can be taken.");
}
