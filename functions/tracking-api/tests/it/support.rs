//! A handler with a held clock, a recording topic and a secret that can change.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderName, Request, Response, header, request::Builder};
use platform::{
    clock::HeldClock,
    rejected::{RejectedError, RejectedMessage, RejectedQueue},
    secrets::{CachedSecret, Fetched, SecretStore},
    topic::{Attributes, WRITE_KEY},
    write_keys::WriteKeys,
};
use serde_json::{Value, json};
use testkit::topic::{Fault, RecordingTopic};
use tracking_api::Handler;

/// The handler's time.
pub const NOW: &str = "2026-11-21T08:00:00.000Z";
/// `k1:` and `k2:`.
pub const BASIC_K1: &str = "Basic azE6";
pub const BASIC_K2: &str = "Basic azI6";
const SECRET: &str = r#"{"default":"k1","shop":"k2"}"#;

/// A rejected queue that keeps its messages, or refuses them.
#[derive(Clone, Default)]
pub struct Rejected {
    messages: Arc<Mutex<Vec<RejectedMessage>>>,
    refuses: bool,
}

impl RejectedQueue for Rejected {
    async fn put(&self, messages: Vec<RejectedMessage>) -> Result<(), RejectedError> {
        if self.refuses {
            return Err(RejectedError("the rejected queue is away".into()));
        }
        self.messages.lock().unwrap().extend(messages);
        Ok(())
    }
}

/// A secret store whose answer can be changed. `None` is one that does not answer.
#[derive(Clone)]
pub struct Store(pub Arc<Mutex<Option<String>>>);

impl SecretStore for Store {
    fn fetch(&self) -> Fetched<'_> {
        let text = self.0.lock().unwrap().clone();
        Box::pin(async { text.ok_or("the store is away".into()) })
    }
}

/// The API under test.
pub struct Api {
    pub handler: Handler<Rejected>,
    pub topic: RecordingTopic,
    pub rejected: Rejected,
    pub secret: Store,
    pub clock: Arc<HeldClock>,
}

impl Api {
    /// Returns an API with the keys `k1` (`default`) and `k2` (`shop`).
    pub fn new() -> Self {
        Self::with(Some(SECRET), None, false)
    }

    pub fn with_fault(fault: Fault) -> Self {
        Self::with(Some(SECRET), Some(fault), false)
    }

    pub fn with_secret(secret: Option<&str>) -> Self {
        Self::with(secret, None, false)
    }

    pub fn without_rejected_queue() -> Self {
        Self::with(Some(SECRET), None, true)
    }

    fn with(secret: Option<&str>, fault: Option<Fault>, refuses: bool) -> Self {
        let clock = HeldClock::at(NOW.parse().unwrap());
        let secret = Store(Arc::new(Mutex::new(secret.map(str::to_owned))));
        let topic = RecordingTopic::default().failing(fault);
        let rejected = Rejected { refuses, ..Rejected::default() };
        let keys = CachedSecret::new(secret.clone(), WriteKeys::parse, clock.clone());
        let handler = Handler::new(rejected.clone(), Arc::new(keys), clock.clone());
        Self { handler, topic, rejected, secret, clock }
    }

    pub async fn respond(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.handler.handle(request, Some(IpAddr::from([203, 0, 113, 7])), &self.topic).await
    }

    /// Returns the status and the body of the answer.
    pub async fn send(&self, request: Request<Bytes>) -> (u16, Value) {
        let response = self.respond(request).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
    }

    /// Sends a body to a call with the key `k1`.
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(request(path, body.to_string())).await
    }

    /// Returns the messages of the rejected queue.
    pub fn rejected(&self) -> Vec<RejectedMessage> {
        self.rejected.messages.lock().unwrap().clone()
    }

    /// Returns the number of messages in each call to the topic.
    pub fn calls(&self) -> Vec<usize> {
        self.topic.calls()
    }

    /// Returns the published bodies of all calls.
    pub fn bodies(&self) -> Vec<String> {
        self.topic.bodies()
    }

    /// Returns the published messages.
    pub fn messages(&self) -> Vec<Value> {
        self.topic.messages()
    }

    /// Returns the names of their write keys.
    pub fn names(&self) -> Vec<String> {
        let mut attributes = self.attributes();
        attributes.iter_mut().map(|one| one.remove(WRITE_KEY).unwrap()).collect()
    }

    pub fn attributes(&self) -> Vec<Attributes> {
        self.topic.taken().into_iter().map(|one| one.attributes).collect()
    }
}

/// Returns the text of an answer.
pub fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

/// Returns the answer to a successful request.
pub fn success() -> (u16, Value) {
    (200, json!({"success": true}))
}

/// Returns a request with the key `k1`.
pub fn request(path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    build(post(path).header(header::AUTHORIZATION, BASIC_K1), body)
}

/// Returns a request without any key.
pub fn keyless(path: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    build(post(path), body)
}

pub fn with_header(mut request: Request<Bytes>, name: HeaderName, value: &str) -> Request<Bytes> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

fn post(path: &str) -> Builder {
    Request::post(path).header(header::CONTENT_TYPE, "application/json")
}

fn build(request: Builder, body: impl Into<Bytes>) -> Request<Bytes> {
    request.body(body.into()).unwrap()
}

/// Returns a good message.
pub fn track(id: &str) -> Value {
    json!({"type": "track", "userId": "u", "event": "e", "messageId": id})
}
