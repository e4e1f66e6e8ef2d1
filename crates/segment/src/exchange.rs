//! One HTTP request and its answer, under one deadline.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{RequestBuilder, Response, header::RETRY_AFTER};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{Failure, retry};

/// The most that is read of an answer, in bytes.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// What came back.
pub(crate) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long the other side asked to wait, by its `Retry-After` header.
    pub after: Option<Duration>,
    /// The body, when it was JSON and within [`MAX_RESPONSE_BYTES`].
    pub body: Option<Value>,
}

/// Sends `request`. `deadline` covers everything from connecting to the last byte of the answer.
///
/// # Errors
/// [`Failure::Timeout`], [`Failure::Connect`] or [`Failure::Transport`] when there was no answer.
pub(crate) async fn exchange(
    request: RequestBuilder,
    deadline: Duration,
    now: &(dyn Fn() -> Timestamp + Send + Sync),
) -> Result<Answer, Failure> {
    let deadline = Instant::now() + deadline;
    let response = match timeout_at(deadline, request.send()).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(failure(&error)),
        Err(_) => return Err(Failure::Timeout),
    };
    let (status, after) = (response.status().as_u16(), retry_after(&response, now));
    // The status decides. That the rest of the answer is late, broken or not JSON changes nothing.
    let body = timeout_at(deadline, read(response)).await.ok().flatten();
    Ok(Answer { status, after, body: body.and_then(|bytes| serde_json::from_slice(&bytes).ok()) })
}

fn retry_after(response: &Response, now: &(dyn Fn() -> Timestamp + Send + Sync)) -> Option<Duration> {
    let header = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    retry::parse_retry_after(header, now())
}

/// The body, unless it breaks off or is larger than [`MAX_RESPONSE_BYTES`].
async fn read(mut response: Response) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_RESPONSE_BYTES {
            return None;
        }
    }
    Some(bytes)
}

fn failure(error: &reqwest::Error) -> Failure {
    if error.is_timeout() {
        Failure::Timeout
    } else if error.is_connect() {
        Failure::Connect
    } else {
        Failure::Transport
    }
}
