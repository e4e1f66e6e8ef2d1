//! Failing on demand, so that a user can watch the retries do their work.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Deserialize;

/// How the stand-in fails, as it is asked to: `{"status": 429, "retryAfter": 5, "seconds": 30}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Fault {
    /// The HTTP status it answers: 400 to 599.
    status: u16,
    /// The `Retry-After` header, in seconds.
    #[serde(default)]
    retry_after: Option<u32>,
    /// For how long.
    seconds: u32,
    #[serde(skip)]
    until: Option<Timestamp>,
}

impl Fault {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn check(&self) -> Result<(), &'static str> {
        if (400..600).contains(&self.status) { Ok(()) } else { Err("The status must be 400 to 599.") }
    }

    pub(super) fn starting(mut self, now: Timestamp) -> Self {
        self.until = now.checked_add(Duration::from_secs(self.seconds.into())).ok();
        self
    }

    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    pub(super) fn response(&self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, "").into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
