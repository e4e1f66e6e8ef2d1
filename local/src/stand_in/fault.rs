//! Faults: failures on demand, to watch the retries.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use platform::clock::SharedClock;
use serde::Deserialize;
use serde_json::{Value, json};

/// The longest time that a silent stand-in holds a call. Callers give up earlier.
const SILENCE: Duration = Duration::from_secs(60);

/// A fault, in JSON: `{"status": 429, "retryAfter": 5, "seconds": 30}`,
/// `{"delaySeconds": 5, "seconds": 30}` or `{"silent": true, "seconds": 30}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fault {
    /// The HTTP status of its answers: 400 to 599.
    #[serde(default)]
    status: Option<u16>,
    /// The `Retry-After` header, in seconds.
    #[serde(default)]
    retry_after: Option<u32>,
    /// The delay before a normal answer, in seconds.
    #[serde(default)]
    delay_seconds: Option<u32>,
    /// Whether it never answers.
    #[serde(default)]
    silent: bool,
    /// The duration of the fault, in seconds.
    seconds: u32,
    #[serde(skip)]
    until: Option<Timestamp>,
}

impl Fault {
    /// Checks that the fault is valid.
    ///
    /// # Errors
    /// A sentence with the expected form.
    pub fn check(&self) -> Result<(), &'static str> {
        match (self.status, self.delay_seconds, self.silent) {
            (Some(status), None, false) if (400..600).contains(&status) => Ok(()),
            (Some(_), None, false) => Err("The status must be 400 to 599."),
            (None, Some(_), false) | (None, None, true) => Ok(()),
            _ => Err("A fault has a status, or delaySeconds, or silent, and one of them only."),
        }
    }

    pub(super) fn starting(mut self, now: Timestamp) -> Self {
        self.until = now.checked_add(Duration::from_secs(self.seconds.into())).ok();
        self
    }

    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Applies the fault. Returns the error answer, or `None` to continue as usual.
    pub(super) async fn apply(&self, clock: &SharedClock) -> Option<Response> {
        if self.silent {
            clock.sleep(SILENCE).await;
            return Some(StatusCode::GATEWAY_TIMEOUT.into_response());
        }
        if let Some(seconds) = self.delay_seconds {
            clock.sleep(Duration::from_secs(seconds.into())).await;
        }
        let status = StatusCode::from_u16(self.status?).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, "").into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        Some(response)
    }

    pub(super) fn as_json(&self, now: Timestamp) -> Value {
        let left = self.until.map_or(0, |until| until.duration_since(now).as_secs() + 1);
        json!({
            "status": self.status,
            "retryAfter": self.retry_after,
            "delaySeconds": self.delay_seconds,
            "silent": self.silent,
            "secondsLeft": left,
        })
    }
}
