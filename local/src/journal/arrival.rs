//! A received request. The page shows it without credentials.

use std::{
    borrow::Cow,
    io::Read,
    sync::{Arc, OnceLock},
};

use axum::http::{Method, Request, Response, header};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use identity::{Position, Providers, credentials};
use jiff::Timestamp;
use segment::{MAX_REQUEST_BYTES, json, timestamp};
use serde_json::{Value, json};

use super::text::{Reader, Text, Texts};

/// The largest body that is kept, in bytes.
const MAX_BODY_BYTES: usize = 128 * 1024;

/// The largest answer that is kept beside the request, in bytes. Larger ones are [texts](Text).
const SHORT_BYTES: usize = 256;

/// The body of an answer.
enum Answer {
    Short(String),
    Long(Text),
}

/// A message that a mapping rule made.
pub struct Mapped {
    pub message_id: String,
    /// The provider's event type.
    pub kind: Arc<str>,
    /// The position of the rule.
    pub rule: Position,
    /// The fields that did not fit into Segment's 32 KB.
    pub left_out: Vec<String>,
}

/// A request and its answer.
pub struct Arrival {
    pub at: Timestamp,
    method: Method,
    /// The path without the query, which may hold a secret.
    path: String,
    content_type: Option<String>,
    gzip: bool,
    length: usize,
    body: Text,
    answer: OnceLock<(u16, Answer)>,
    mapped: OnceLock<Vec<Mapped>>,
}

impl Arrival {
    /// Records a request received `at` this time.
    pub fn new(request: &Request<Bytes>, at: Timestamp, texts: &Texts) -> Self {
        let text = |name| request.headers().get(name)?.to_str().ok();
        let body = request.body();
        Self {
            at,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            content_type: text(header::CONTENT_TYPE).map(str::to_owned),
            gzip: text(header::CONTENT_ENCODING).is_some_and(|encoding| encoding.contains("gzip")),
            length: body.len(),
            // A copy, since the `Bytes` can keep the connection's whole read buffer alive.
            body: texts.keep(match body.len() > MAX_BODY_BYTES {
                true => Bytes::new(),
                false => Bytes::copy_from_slice(body),
            }),
            answer: OnceLock::new(),
            mapped: OnceLock::new(),
        }
    }

    /// Returns the route of the identity provider, from the path.
    pub fn provider(&self) -> Option<&str> {
        self.path.split_once("/identity/").map(|(_, provider)| provider.trim_end_matches('/'))
    }

    /// Returns the body with its credentials.
    pub fn body(&self, reader: &mut Reader) -> Bytes {
        self.body.bytes(reader)
    }

    /// Returns the messages of the body that mapping rules made.
    pub fn mapped(&self) -> &[Mapped] {
        self.mapped.get().map_or(&[], Vec::as_slice)
    }

    /// Records the answer and the mapping.
    pub fn answered(&self, response: &Response<Bytes>, mapping: Option<&identity::Mapping>, texts: &Texts) {
        let answer = match std::str::from_utf8(response.body()) {
            Ok(text) if text.len() <= SHORT_BYTES => Answer::Short(text.to_owned()),
            Ok(_) => Answer::Long(texts.keep(response.body().clone())),
            Err(_) => Answer::Short(format!("An image of {} bytes.", response.body().len())),
        };
        let _ = self.answer.set((response.status().as_u16(), answer));
        let mapped = |one: &identity::Mapped| {
            Some(Mapped {
                message_id: one.message.message_id()?.to_owned(),
                kind: one.event_type.clone(),
                rule: one.rule.clone(),
                left_out: one.left_out.clone(),
            })
        };
        if let Some(mapping) = mapping.filter(|mapping| !mapping.messages.is_empty()) {
            let _ = self.mapped.set(mapping.messages.iter().filter_map(mapped).collect());
        }
    }

    /// Returns the JSON for the page.
    pub fn as_json(&self, reader: &mut Reader, providers: &Providers) -> Value {
        let answer = self.answer.get();
        json!({
            "at": timestamp::format(self.at),
            "method": self.method.as_str(),
            "path": self.path,
            "contentType": self.content_type,
            "body": self.without_credentials(reader, providers),
            "status": answer.map(|(status, _)| status),
            "answer": answer.map(|(_, answer)| match answer {
                Answer::Short(text) => text.clone(),
                Answer::Long(text) => text.read(reader),
            }),
        })
    }

    fn without_credentials(&self, reader: &mut Reader, providers: &Providers) -> String {
        if self.length > MAX_BODY_BYTES {
            return format!("It has {} bytes; bodies above {MAX_BODY_BYTES} are not kept.", self.length);
        }
        let identity = self.provider().is_some();
        let strip = if identity { credentials::strip } else { strip_write_keys };
        let stripped = |text: &[u8]| {
            let mut value = json::parse(text).ok()?;
            strip(&mut value);
            Some(value.to_string())
        };
        let body = self.body(reader);
        let body = if self.gzip { Cow::Owned(inflated(&body)) } else { Cow::Borrowed(&*body) };
        let provider = self.provider().and_then(|route| providers.named(route).ok());
        match provider.and_then(|provider| provider.without_never_read(&body)) {
            Some(Ok(mut read)) => {
                strip(&mut read);
                return read.to_string();
            }
            Some(Err(_)) => return UNREADABLE.to_owned(),
            None => {}
        }
        // A log stream may send one JSON document a line.
        let lines = || {
            let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            Some(lines.map(stripped).collect::<Option<Vec<_>>>()?.join("\n"))
        };
        let text = stripped(&body).or_else(lines);
        text.unwrap_or_else(|| UNREADABLE.to_owned())
    }
}

/// The text in place of a body that may hold credentials.
const UNREADABLE: &str = "It is not JSON, so credentials cannot be removed from it, and it is not shown.";

/// Decompresses a body as far as possible.
fn inflated(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let _ = MultiGzDecoder::new(body).take(MAX_REQUEST_BYTES as u64).read_to_end(&mut text);
    text
}

/// Removes the write keys of a Segment library's body: its own and those of a batch's messages.
fn strip_write_keys(value: &mut Value) {
    let Value::Object(object) = value else { return };
    object.remove("writeKey");
    if let Some(Value::Array(batch)) = object.get_mut("batch") {
        batch
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .for_each(|message| drop(message.remove("writeKey")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str, encoding: &str, body: &[u8]) -> Value {
        let request = Request::post(path).header("content-encoding", encoding);
        let request = request.body(Bytes::copy_from_slice(body)).unwrap();
        let arrival = Arrival::new(&request, Timestamp::UNIX_EPOCH, &Texts::default());
        arrival.as_json(&mut Reader::default(), &Providers::built_in())
    }

    #[test]
    fn credentials_are_not_shown() {
        let identity = "/identity/fusionauth?key=s3cret";
        let user = r#"{"user":{"id":"1","password":"x","data":{"Refresh-Token":"y"}}}"#;
        let batch = r#"{"batch":[{"writeKey":"k","type":"page"},7],"writeKey":"k"}"#;
        for (path, body, expected) in [
            (identity, user, r#"{"user":{"id":"1","data":{}}}"#),
            ("/identity/auth0/logs", "{\"a\":1}\n{\"password\":2}\n", "{\"a\":1}\n{}"),
            (
                "/v1/track",
                r#"{"writeKey":"k","properties":{"token":1.50}}"#,
                r#"{"properties":{"token":1.50}}"#,
            ),
            // The built-in file says that nothing reads it.
            (
                "/identity/supabase",
                r#"{"type":"INSERT","record":{"id":"1","encrypted_password":"x"},"old_record":null}"#,
                r#"{"type":"INSERT","record":{"id":"1"},"old_record":null}"#,
            ),
            ("/identity/logto", r#"{"event":"x","sessionId":"s"}"#, r#"{"event":"x"}"#),
            ("/identity/logto", "{\"sessionId\":\"s\"}\n{\"sessionId\":\"s\"}", UNREADABLE),
            ("/v1/batch", batch, r#"{"batch":[{"type":"page"},7]}"#),
        ] {
            assert_eq!(shown(path, "", body.as_bytes())["body"], expected, "{path}");
        }
        let (start, end) = batch.as_bytes().split_at(20);
        let gzip = [start, end].map(testkit::gzip).concat();
        assert_eq!(shown("/v1/batch", "gzip", &gzip)["body"], r#"{"batch":[{"type":"page"},7]}"#);
        assert!(shown(identity, "", b"password=x")["body"].as_str().unwrap().starts_with("It is not JSON"));
        let large = format!("[{}1]", "1,".repeat(100_000));
        let large = shown(identity, "", large.as_bytes());
        assert!(large["body"].as_str().unwrap().starts_with("It has 200003 bytes"));
        assert!(!shown(identity, "", b"{}").to_string().contains("s3cret"));
    }
}
