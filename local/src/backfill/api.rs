//! Calls of the providers' APIs, again until they answer.

use std::time::Duration;

use http::Method;
use segment::{Secret, retry_after};
use serde_json::Value;

use super::{pace::Patience, surroundings::Surroundings};
use crate::error::CommandError;

/// How long one call may take, from connecting to the last byte.
const DEADLINE: Duration = Duration::from_secs(60);

/// The most that is read of an answer: a page of users, none of them small.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// What sets one provider's API apart.
pub struct Side {
    /// Its name.
    pub name: &'static str,
    /// The option that says where it is.
    pub address: &'static str,
    /// What to do when it refuses the credentials.
    pub credentials: &'static str,
}

/// A provider's API.
pub struct Api {
    side: &'static Side,
    http: reqwest::Client,
    base: String,
    headers: Vec<(&'static str, Secret)>,
    patience: Patience,
    surroundings: Surroundings,
}

/// How one attempt ended.
enum Attempt {
    Answer(Value),
    Status(u16, Option<Duration>),
    NotJson,
    TooLarge,
    Unanswered(&'static str),
}

impl Api {
    /// The API at `base`, with these headers in each call.
    pub fn new(
        side: &'static Side,
        base: &str,
        headers: Vec<(&'static str, Secret)>,
        surroundings: &Surroundings,
    ) -> Result<Self, CommandError> {
        Ok(Self {
            side,
            http: platform::http::client()?,
            base: base.trim_end_matches('/').to_owned(),
            headers,
            patience: Patience::default(),
            surroundings: surroundings.clone(),
        })
    }

    /// Calls until there is an answer. Returns its JSON, or the status of a refusal that is about the call itself.
    ///
    /// # Errors
    /// When the credentials are refused, when it is not that API, when it fails for too long, when the run shall end.
    pub async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Result<Value, u16>, CommandError> {
        let name = self.side.name;
        loop {
            let attempt = self.attempt(method.clone(), path, body);
            let attempt = self.surroundings.stop.unless(attempt).await?;
            let failed = match attempt {
                Attempt::Answer(value) => {
                    self.patience.succeeded();
                    return Ok(Ok(value));
                }
                Attempt::Status(status @ (401 | 403), _) => {
                    return Err(
                        format!("{name} answered {status} to {path}: {}", self.side.credentials).into()
                    );
                }
                Attempt::Status(status @ 300..=399, _) => {
                    return Err(self.elsewhere(path, &format!("{status}")));
                }
                Attempt::Status(status @ (408 | 429 | 500..), after) => {
                    (format!("{name} answered {status}"), true, after)
                }
                Attempt::Status(status, _) => return Ok(Err(status)),
                Attempt::NotJson => return Err(self.elsewhere(path, "what is no JSON")),
                Attempt::TooLarge => {
                    return Err(format!("{name} answered more than 64 MB to {path}; please report it").into());
                }
                Attempt::Unanswered(problem) => (format!("{name} {problem}"), false, None),
            };
            let advice = format!("check {}", self.side.address);
            self.surroundings.try_again(&mut self.patience, failed, &advice).await?;
        }
    }

    fn elsewhere(&self, path: &str, answer: &str) -> CommandError {
        let Side { name, address, .. } = self.side;
        format!("what is at {address} answered {answer} to {path}; is it the address of {name}?").into()
    }

    async fn attempt(&self, method: Method, path: &str, body: Option<&Value>) -> Attempt {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).timeout(DEADLINE);
        for (name, value) in &self.headers {
            request = request.header(*name, value.expose());
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return Attempt::Unanswered("did not answer in time"),
            Err(error) if error.is_connect() => return Attempt::Unanswered("cannot be connected to"),
            Err(_) => return Attempt::Unanswered("broke the connection"),
        };
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            let after = header.and_then(|header| retry_after::parse(header, self.surroundings.clock.now()));
            return Attempt::Status(status, after);
        }
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > MAX_BYTES => return Attempt::TooLarge,
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) => return Attempt::Unanswered("broke off its answer"),
            }
        }
        segment::json::parse(&bytes).map_or(Attempt::NotJson, Attempt::Answer)
    }
}
