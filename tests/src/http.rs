//! Requests to an HTTP API, and their answers.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Client, Method};
use serde_json::Value;

/// Headers that the connection sets.
const OWN_HEADERS: [&str; 6] =
    ["host", "content-length", "x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"];

/// A request.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON. Another text is a string, and an empty body is `null`.
    pub body: Value,
}

impl HttpRequest {
    /// Returns a request with these parts.
    pub fn new(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.collect(),
            body: body.to_vec(),
        }
    }

    /// Returns the request in an event of API Gateway.
    pub fn of_event(event: &str) -> Self {
        let event: Value = serde_json::from_str(event).unwrap();
        let path = event["rawPath"].as_str().unwrap();
        let path = match event["rawQueryString"].as_str() {
            None | Some("") => path.to_owned(),
            Some(query) => format!("{path}?{query}"),
        };
        let headers = event["headers"].as_object().unwrap().iter();
        let headers = headers
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .filter(|(name, _)| !OWN_HEADERS.contains(&name.as_str()));
        let body = event["body"].as_str().unwrap_or_default();
        Self {
            method: event["requestContext"]["http"]["method"].as_str().unwrap().to_owned(),
            path,
            headers: headers.collect(),
            body: match event["isBase64Encoded"] == true {
                true => STANDARD.decode(body).unwrap(),
                false => body.as_bytes().to_vec(),
            },
        }
    }

    /// Returns the path with the query, if there is one.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Sends it to the API at this address.
    pub(crate) async fn send(self, client: &Client, api: &str) -> Reply {
        let method = Method::from_bytes(self.method.as_bytes()).unwrap();
        let mut request = client.request(method, format!("{api}{}", self.path)).body(self.body);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        let headers = reply.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        #[allow(clippy::disallowed_methods, reason = "the functions' answers are small")]
        let text = reply.text().await.unwrap();
        let body = match text.is_empty() {
            true => Value::Null,
            false => serde_json::from_str(&text).unwrap_or_else(|_| text.into()),
        };
        Reply { status, headers, body }
    }
}
