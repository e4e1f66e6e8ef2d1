//! One HTTP request and its answer, under one deadline.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use reqwest::{
    RequestBuilder, Response,
    header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use tokio::time::{Instant, timeout_at};

use super::{Attempt, Client};
use crate::{Failure, Outcome, Secret, retry};

/// The most that is read of an answer, in bytes.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

impl Client {
    pub(super) async fn post(&self, call: &str, write_key: &Secret, body: String) -> Attempt {
        let deadline = Instant::now() + self.deadline;
        let response = match timeout_at(deadline, self.request(call, write_key, body).send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return failed(failure(&error)),
            Err(_) => return failed(Failure::Timeout),
        };
        let outcome = Outcome::of_status(response.status().as_u16(), self.retry_after(&response));
        // The status decides. That the rest of the answer is late, broken or not JSON changes nothing.
        let body = timeout_at(deadline, read(response)).await.ok().flatten();
        Attempt { outcome, response: body.and_then(|bytes| serde_json::from_slice(&bytes).ok()) }
    }

    fn request(&self, call: &str, write_key: &Secret, body: String) -> RequestBuilder {
        let agent = match &self.library {
            Some(library) => format!("{}/{}", library.name, library.version),
            None => concat!(env!("CARGO_PKG_NAME"), "-rust/", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        // The colon after the key is needed (Segment HTTP API docs, "Authentication"): an empty password.
        let request = self
            .http
            .post(self.endpoint.call(call))
            .basic_auth(write_key.expose(), Some(""))
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, agent);
        match self.gzip.then(|| compress(&body)).flatten() {
            Some(compressed) => request.header(CONTENT_ENCODING, "gzip").body(compressed),
            None => request.body(body),
        }
    }

    fn retry_after(&self, response: &Response) -> Option<Duration> {
        let header = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
        retry::parse_retry_after(header, (self.now)())
    }
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

fn compress(body: &str) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).ok()?;
    encoder.finish().ok()
}

fn failed(failure: Failure) -> Attempt {
    Attempt { outcome: Outcome::Retry { failure, after: None }, response: None }
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
