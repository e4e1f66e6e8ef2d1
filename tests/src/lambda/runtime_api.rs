//! The Lambda Runtime API (Lambda developer guide, "Using the Lambda runtime API").

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex as StdMutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, oneshot, watch},
};

use super::Failure;

/// An event for the function.
pub(super) struct Invocation {
    pub payload: String,
    /// The time since the epoch.
    pub deadline: Duration,
    pub answer: Answer,
}

type Answer = oneshot::Sender<Result<String, Failure>>;

struct Api {
    queue: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    /// The current invocation. An environment has one at a time.
    current: StdMutex<Option<(String, Answer)>>,
    ready: watch::Sender<bool>,
    arn: String,
}

/// Serves the API for one environment. Receives its invocations, and reports when it asks for the first one.
pub(super) async fn serve(
    arn: &str,
    queue: mpsc::UnboundedReceiver<Invocation>,
    ready: watch::Sender<bool>,
) -> SocketAddr {
    let api = Api { queue: Mutex::new(queue), current: StdMutex::default(), ready, arn: arn.to_owned() };
    let router = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .with_state(Arc::new(api));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    api.ready.send_replace(true);
    let Some(invocation) = api.queue.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let id = format!("8476a536-e9f4-11e8-9739-{:012x}", now().as_micros() & 0xffff_ffff_ffff);
    let headers = [
        ("lambda-runtime-aws-request-id", id.clone()),
        ("lambda-runtime-deadline-ms", invocation.deadline.as_millis().to_string()),
        ("lambda-runtime-invoked-function-arn", api.arn.clone()),
        ("content-type", "application/json".to_owned()),
    ];
    *api.current.lock().unwrap() = Some((id, invocation.answer));
    (headers, invocation.payload).into_response()
}

async fn response(State(api): State<Arc<Api>>, Path(id): Path<String>, body: String) -> StatusCode {
    api.finish(&id, Ok(body))
}

async fn error(State(api): State<Arc<Api>>, Path(id): Path<String>, body: String) -> StatusCode {
    let error: Value = serde_json::from_str(&body).unwrap();
    let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
    api.finish(&id, Err(Failure { kind: text("errorType"), message: text("errorMessage") }))
}

impl Api {
    fn finish(&self, id: &str, result: Result<String, Failure>) -> StatusCode {
        match self.current.lock().unwrap().take() {
            Some((current, answer)) if current == id => {
                let _ = answer.send(result);
                StatusCode::ACCEPTED
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Returns the time since the epoch that functions are told.
#[allow(clippy::disallowed_methods, reason = "the function gets a deadline by the machine's clock")]
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
