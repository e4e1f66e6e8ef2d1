//! Calls to the providers' APIs, with retries.

use std::time::Duration;

use http::Method;
use segment::{Secret, retry_after};
use serde_json::Value;

use super::{context::Context, pace::Retries};
use crate::error::CommandError;

/// The time limit of one call, from connecting to the last byte.
const DEADLINE: Duration = Duration::from_secs(60);

/// The largest answer that is read: a page of large users.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// The differences between the providers' APIs.
pub struct ApiDescription {
    /// The provider's name.
    pub name: &'static str,
    /// The option that holds its address.
    pub address: &'static str,
    /// The advice when it rejects the credentials.
    pub credentials: &'static str,
}

/// A provider's API.
pub struct Api {
    description: &'static ApiDescription,
    http: reqwest::Client,
    base: String,
    headers: Vec<(&'static str, Secret)>,
    retries: Retries,
    context: Context,
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
    /// Returns a client for the API at `base`. It sends `headers` with each call.
    pub fn new(
        description: &'static ApiDescription,
        base: &str,
        headers: Vec<(&'static str, Secret)>,
        context: &Context,
    ) -> Result<Self, CommandError> {
        Ok(Self {
            description,
            http: platform::http::client()?,
            base: base.trim_end_matches('/').to_owned(),
            headers,
            retries: Retries::default(),
            context: context.clone(),
        })
    }

    /// Calls the API, with retries. Returns the JSON, or the status if the API rejects this call (4xx).
    ///
    /// # Errors
    /// When the credentials are rejected, the address is not this API's, the API fails for too long, or the
    /// run is to stop.
    pub async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Result<Value, u16>, CommandError> {
        let name = self.description.name;
        loop {
            let attempt = self.attempt(method.clone(), path, body);
            let attempt = self.context.stop.unless(attempt).await?;
            let failed = match attempt {
                Attempt::Answer(value) => {
                    self.retries.succeeded();
                    return Ok(Ok(value));
                }
                Attempt::Status(status @ (401 | 403), _) => {
                    return Err(format!(
                        "{name} answered {status} to {path}: {}",
                        self.description.credentials
                    )
                    .into());
                }
                Attempt::Status(status @ 300..=399, _) => {
                    return Err(self.wrong_address(path, &format!("{status}")));
                }
                Attempt::Status(status @ (408 | 429 | 500..), after) => {
                    (format!("{name} answered {status}"), true, after)
                }
                Attempt::Status(status, _) => return Ok(Err(status)),
                Attempt::NotJson => return Err(self.wrong_address(path, "something that is not JSON")),
                Attempt::TooLarge => {
                    return Err(
                        format!("{name} answered with more than 64 MB to {path}; please report it").into()
                    );
                }
                Attempt::Unanswered(problem) => (format!("{name} {problem}"), false, None),
            };
            let advice = format!("check {}", self.description.address);
            self.context.back_off(&mut self.retries, failed, &advice).await?;
        }
    }

    fn wrong_address(&self, path: &str, answer: &str) -> CommandError {
        let ApiDescription { name, address, .. } = self.description;
        format!(
            "the server at {address} answered {answer} to {path}; check that {address} is {name}'s address"
        )
        .into()
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
            Err(error) if error.is_connect() => return Attempt::Unanswered("accepts no connection"),
            Err(_) => return Attempt::Unanswered("closed the connection"),
        };
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            let after = header.and_then(|header| retry_after::parse(header, self.context.clock.now()));
            return Attempt::Status(status, after);
        }
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > MAX_BYTES => return Attempt::TooLarge,
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) => return Attempt::Unanswered("stopped in the middle of its answer"),
            }
        }
        segment::json::parse(&bytes).map_or(Attempt::NotJson, Attempt::Answer)
    }
}
