//! One HTTP request and its answer, under one deadline.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{RequestBuilder, Response, header::RETRY_AFTER};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use crate::{Failure, Outcome, retry_after};

/// The most bytes that are read of an answer.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// An HTTP answer.
pub(crate) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// How long the other side asked to wait, from its `Retry-After` header.
    pub after: Option<Duration>,
    /// The whole body. `None` if it is larger than [`MAX_RESPONSE_BYTES`]. A failure if its end did not
    /// arrive.
    body: Result<Option<Vec<u8>>, Failure>,
}

impl Answer {
    /// Returns the body if it arrived completely and is JSON.
    pub fn json(&self) -> Option<Value> {
        let body = self.body.as_ref().ok()?.as_ref()?;
        serde_json::from_slice(body).ok()
    }

    /// Returns the outcome of the answer if its status alone means `outcome`. A success counts only if the
    /// body [`confirms_success`]: anything on the way can answer 200.
    pub fn verified_outcome(&self, outcome: Outcome) -> Outcome {
        if outcome != Outcome::Delivered {
            return outcome;
        }
        let failure = match &self.body {
            Ok(Some(body)) if confirms_success(body) => return Outcome::Delivered,
            Ok(_) => Failure::NotSegment(self.status),
            Err(failure) => failure.clone(),
        };
        Outcome::Retry { failure, after: self.after }
    }
}

/// Whether this is the answer of Segment, or of a server that takes its place, to messages that it takes:
///
/// - Segment's HTTP API: `{"success": true}` (segmentio/analytics-go, issue 205; segmentio/analytics.js,
///   issue 625, in which a blocker sent an empty 200). Its Public API: an object with `data`.
/// - Jitsu: an object with `ok`, which is false for events that it will never take (jitsucom/jitsu,
///   `bulker/ingest/router_batch_handler.go`).
/// - RudderStack: the text `OK` (rudderlabs/rudder-server, `gateway/response/response.go`), which its own
///   libraries require.
///
/// So a JSON object counts unless it denies success. An HTML page and an empty body do not count.
fn confirms_success(body: &[u8]) -> bool {
    match serde_json::from_slice(body) {
        Ok(Value::Object(answer)) => {
            answer.get("success").is_none_or(|success| *success == Value::Bool(true))
        }
        Ok(Value::String(text)) => text == "OK",
        Ok(_) => false,
        Err(_) => body.trim_ascii() == b"OK",
    }
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
    let (status, after) = (response.status().as_u16(), requested_wait(&response, now));
    let body = match timeout_at(deadline, read(response)).await {
        Ok(body) => body.map_err(|error| failure(&error)),
        Err(_) => Err(Failure::Timeout),
    };
    Ok(Answer { status, after, body })
}

fn requested_wait(response: &Response, now: &(dyn Fn() -> Timestamp + Send + Sync)) -> Option<Duration> {
    let header = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    retry_after::parse(header, now())
}

/// Returns the body, unless it is larger than [`MAX_RESPONSE_BYTES`].
async fn read(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_RESPONSE_BYTES {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Returns an answer that arrived completely.
    pub(crate) fn answer(status: u16, body: &str) -> Answer {
        Answer { status, after: None, body: Ok(Some(body.as_bytes().to_vec())) }
    }

    #[test]
    fn a_200_counts_if_its_body_confirms_success() {
        for (body, counts) in [
            (r#"{"success":true}"#, true),
            (r#"{ "success": true }"#, true),
            (r#"{"data":{"regulateId":"r"}}"#, true),
            (r#"{"ok":true,"receivedEvents":2,"okEvents":2}"#, true),
            ("{}", true),
            ("OK", true),
            ("OK\n", true),
            ("\"OK\"", true),
            (r#"{"success":false}"#, false),
            (r#"{"success":"false"}"#, false),
            (r#"{"success":null}"#, false),
            ("", false),
            ("null", false),
            ("[]", false),
            ("1", false),
            ("Not OK", false),
            (r#"{"success":true"#, false),
            ("<!DOCTYPE html><title>Sign in to the network</title>", false),
            ("GIF89a", false),
        ] {
            let outcome = answer(200, body).verified_outcome(Outcome::Delivered);
            let expected = match counts {
                true => Outcome::Delivered,
                false => Outcome::Retry { failure: Failure::NotSegment(200), after: None },
            };
            assert_eq!(outcome, expected, "{body}");
        }
    }

    #[test]
    fn only_a_success_needs_a_body() {
        let refused = Outcome::Rejected(Failure::Status(400));
        assert_eq!(answer(400, "").verified_outcome(refused.clone()), refused);
    }
}
