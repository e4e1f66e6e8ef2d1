//! Test tools that several crates share. [`FakeServer`] is the other side, as Segment or as a webhook.
//! [`World`] is a destination with a queue that fails on demand. [`conserves`] is the test that every
//! destination passes.
//!
//! The server speaks HTTP/1.1 over a plain socket, so that it can also fail as no HTTP server would: it
//! breaks off before or after the answer, or sends its body slowly or never.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test support")]

mod conservation;
mod exchange;
mod fastest;
#[cfg(feature = "postgres")]
pub mod postgres;
mod queue;
mod recorded;
#[cfg(feature = "tls")]
pub mod tls;
pub mod topic;
mod world;

use std::{
    io::Write,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use tokio::net::TcpListener;

pub use conservation::{
    Accepted, FaultSwitch, Subject, Unit, assert_expired, conserves, for_each_seed, intricate,
    members_to_spoil,
};
pub use fastest::fastest;
pub use queue::{Failures, FlakyQueue, Hang};
pub use recorded::{log, logged, record, recorded};
pub use world::{START, StoredSecret, VISIBILITY, World, assert_attributes, clock};

/// Returns the bytes gzipped.
pub fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes.as_ref()).unwrap();
    gzip.finish().unwrap()
}

/// A request that the fake received.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method and path, such as `POST /v1/batch`.
    pub line: String,
    /// Lower-case names with their values.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed.
    pub body: String,
    /// Whether its messages were taken, no matter what the client was answered.
    pub taken: bool,
}

impl Request {
    /// Returns a header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(candidate, _)| candidate == name).map(|(_, value)| value.as_str())
    }

    /// Returns the user name of Basic authentication, which is the write key. It is empty if there is none.
    pub fn write_key(&self) -> String {
        use base64::Engine as _;
        let basic = self.header("authorization").and_then(|value| value.strip_prefix("Basic "));
        let Some(encoded) = basic else { return String::new() };
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
        String::from_utf8(decoded.unwrap()).unwrap().strip_suffix(':').unwrap().to_owned()
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Returns the messages of a batch, or the one message of another call.
    pub fn messages(&self) -> Vec<Value> {
        if self.body.is_empty() {
            return Vec::new();
        }
        match self.json() {
            Value::Array(messages) => messages,
            Value::Object(mut object) => match object.remove("batch") {
                Some(Value::Array(messages)) => messages,
                _ => vec![Value::Object(object)],
            },
            other => vec![other],
        }
    }
}

/// The fake's answer to a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Answers with a status, headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// Answers 200 with these bytes, but the connection breaks after this many of them. The messages are not
    /// taken.
    Bytes(Vec<u8>, usize),
    /// Breaks the connection before any answer. The messages are not taken.
    ResetBefore,
    /// Breaks the connection although the messages are taken.
    ResetAfter,
    /// Answers 200 at once, and then the body never ends.
    EndlessBody,
    /// Answers 200 at once, and then the body arrives byte by byte for this long.
    SlowBody(Duration),
    /// Answers after this time.
    Late(Duration),
}

impl Answer {
    /// Returns Segment's answer to messages that it takes. For a webhook, any 2xx is enough.
    pub fn ok() -> Self {
        Self::Status(200, Vec::new(), r#"{"success":true}"#.to_owned())
    }

    /// Returns a status with an empty body.
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new(), String::new())
    }

    /// Returns a 429 with this `Retry-After`.
    pub fn rate_limited(retry_after: impl Into<String>) -> Self {
        Self::Status(429, vec![("Retry-After", retry_after.into())], String::new())
    }

    /// Whether the fake takes the messages of the request.
    pub fn takes(&self) -> bool {
        match self {
            Self::Status(status, ..) => (200..300).contains(status),
            Self::ResetBefore | Self::Bytes(..) => false,
            Self::ResetAfter | Self::EndlessBody | Self::SlowBody(_) | Self::Late(_) => true,
        }
    }
}

type Script = dyn FnMut(&Request) -> Answer + Send;

struct Shared {
    requests: Mutex<Vec<Request>>,
    taken: Mutex<Vec<(String, Value)>>,
    script: Mutex<Box<Script>>,
    in_flight: Mutex<InFlight>,
}

/// The number of requests that were read but not answered yet.
#[derive(Default)]
struct InFlight {
    now: usize,
    peak: usize,
}

/// The running fake. It stops with the runtime.
#[derive(Clone)]
pub struct FakeServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FakeServer {
    /// Starts a fake that answers as `script` says.
    pub async fn start(script: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        Self::at("127.0.0.1:0", script).await
    }

    /// Starts a fake at this address.
    pub async fn at(address: &str, script: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            requests: Mutex::default(),
            taken: Mutex::default(),
            script: Mutex::new(Box::new(script)),
            in_flight: Mutex::default(),
        });
        let fake = Self { address, shared: shared.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(exchange::serve(stream, shared.clone()));
            }
        });
        fake
    }

    /// Starts a fake that takes everything.
    pub async fn healthy() -> Self {
        Self::start(|_| Answer::ok()).await
    }

    /// Starts a fake that gives these answers one after the other, and then takes everything.
    pub async fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let mut answers = answers.into_iter().collect::<Vec<_>>().into_iter();
        Self::start(move |_| answers.next().unwrap_or_else(Answer::ok)).await
    }

    /// Changes its behavior from now on.
    pub fn set(&self, script: impl FnMut(&Request) -> Answer + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// Returns the base URL, without `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Returns the most requests that it had read but not answered at one time.
    pub fn peak(&self) -> usize {
        self.shared.in_flight.lock().unwrap().peak
    }

    /// Returns every message that it took, with its write key, including repeats.
    pub fn taken(&self) -> Vec<(String, Value)> {
        self.shared.taken.lock().unwrap().clone()
    }
}
