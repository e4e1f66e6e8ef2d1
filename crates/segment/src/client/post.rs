//! One call with a write key.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use reqwest::{
    RequestBuilder,
    header::{CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT},
};

use super::{Attempt, Client};
use crate::{Outcome, Secret, exchange::exchange};

/// The `User-Agent` of a sender that names no library.
pub(crate) const AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "-rust/", env!("CARGO_PKG_VERSION"));

impl Client {
    pub(super) async fn post(&self, call: &str, write_key: &Secret, body: String) -> Attempt {
        match exchange(self.request(call, write_key, body), self.deadline, &*self.now).await {
            Ok(answer) => Attempt {
                outcome: answer.verified_outcome(Outcome::of_status(answer.status, answer.after)),
                response: answer.json(),
            },
            Err(failure) => Attempt { outcome: Outcome::Retry { failure, after: None }, response: None },
        }
    }

    fn request(&self, call: &str, write_key: &Secret, body: String) -> RequestBuilder {
        let agent = match &self.library {
            Some(library) => format!("{}/{}", library.name, library.version),
            None => AGENT.to_owned(),
        };
        // The colon after the key, an empty password, is required (Segment HTTP API docs, "Authentication").
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
}

fn compress(body: &str) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body.as_bytes()).ok()?;
    encoder.finish().ok()
}
