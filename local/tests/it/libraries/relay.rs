//! A relay between a library and Segue. It refuses the first requests, as Segue does with a failing store,
//! forwards the others unchanged, and records them.

use std::{
    io::Read,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::{self, Body},
    extract::State,
    http::{HeaderName, Request, Response, StatusCode, header},
};
use flate2::read::GzDecoder;
use reqwest::Client;
use segment::json;
use serde_json::Value;

/// Headers of a single connection, which are not forwarded.
const OF_THE_CONNECTION: [HeaderName; 4] =
    [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// A request that Segue answered 200.
#[derive(Clone)]
pub(super) struct Accepted {
    pub path: String,
    pub body: Value,
}

/// The running relay. It stops with the runtime.
#[derive(Clone)]
pub(super) struct Relay {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    to: String,
    http: Client,
    failures: AtomicUsize,
    taken: Mutex<Vec<Accepted>>,
}

impl Relay {
    /// Starts a relay to `to` that answers 503 to the first `failures` requests.
    pub async fn start(to: &str, failures: usize) -> Self {
        let shared = Arc::new(Shared {
            to: to.to_owned(),
            http: platform::http::client().unwrap(),
            failures: AtomicUsize::new(failures),
            taken: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(pass).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared }
    }

    /// Returns the accepted requests, after all failures.
    pub fn accepted(&self) -> Vec<Accepted> {
        assert_eq!(self.shared.failures.load(Ordering::SeqCst), 0, "too few requests came");
        self.shared.taken.lock().unwrap().clone()
    }
}

#[allow(clippy::disallowed_methods, reason = "Segue's answers are small")]
async fn pass(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body::to_bytes(body, usize::MAX).await.unwrap();
    let fails = |left: usize| left.checked_sub(1);
    if shared.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
        return refusal();
    }
    let path = head.uri.path_and_query().unwrap().as_str().to_owned();
    let mut headers = head.headers.clone();
    OF_THE_CONNECTION.iter().for_each(|name| drop(headers.remove(name)));
    let onward = shared.http.request(head.method, format!("{}{path}", shared.to)).headers(headers);
    let answer = onward.body(body.clone()).send().await.unwrap();
    if answer.status() == StatusCode::OK {
        let compressed = head.headers.get(header::CONTENT_ENCODING).is_some();
        let body = json::parse(&plain(&body, compressed)).unwrap();
        shared.taken.lock().unwrap().push(Accepted { path, body });
    }
    let mut response = Response::builder().status(answer.status());
    *response.headers_mut().unwrap() = answer.headers().clone();
    OF_THE_CONNECTION.iter().for_each(|name| drop(response.headers_mut().unwrap().remove(name)));
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

fn plain(body: &[u8], compressed: bool) -> Vec<u8> {
    let mut text = Vec::new();
    match compressed {
        true => drop(GzDecoder::new(body).read_to_end(&mut text).unwrap()),
        false => text.extend_from_slice(body),
    }
    text
}

fn refusal() -> Response<Body> {
    let body = r#"{"error":"not_stored","code":"not_stored","message":"Send it again."}"#;
    Response::builder()
        .status(StatusCode::SERVICE_UNAVAILABLE)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::RETRY_AFTER, "1")
        .body(Body::from(body))
        .unwrap()
}
