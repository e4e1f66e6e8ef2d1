//! The HTTP routes of the one process.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use platform::embedded::{EmbeddedLedger, EmbeddedTopic};

use crate::{debugger, debugger::Debugger, stand_in, stand_in::StandIn};

/// How long a request's body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// The identity webhook's handler on the embedded topic and ledger.
pub type IdentityHandler = identity_webhook::Handler<EmbeddedTopic, EmbeddedLedger>;

/// The tracking API's handler on the embedded topic.
pub type TrackingHandler = tracking_api::Handler<EmbeddedTopic>;

/// All routes. The page and the stand-in answer to this machine only: they show personal data.
pub fn router(
    identity: Arc<IdentityHandler>,
    tracking: Arc<TrackingHandler>,
    debugger: Debugger,
    stand_in: Option<StandIn>,
) -> Router {
    let mut private = debugger::routes(debugger);
    if let Some(stand_in) = stand_in {
        private = private.nest(stand_in::PATH, stand_in::routes(stand_in));
    }
    let public = Router::new()
        .route("/health", any(identity_webhook))
        .route("/identity/{*provider}", any(identity_webhook))
        .with_state(identity)
        .merge(Router::new().route("/v1/{*call}", any(tracking_api)).with_state(tracking));
    private.layer(middleware::from_fn(this_machine_only)).merge(public).fallback(not_found)
}

async fn identity_webhook(State(handler): State<Arc<IdentityHandler>>, request: Request) -> Response {
    match read(request, identity_webhook::MAX_BODY_BYTES).await {
        Ok(request) => handler.handle(request).await.map(Body::from),
        Err(StatusCode::PAYLOAD_TOO_LARGE) => {
            unread(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is larger than 6 MB.")
        }
        Err(status) => unread(status, "too_slow", TOO_SLOW),
    }
}

async fn tracking_api(
    State(handler): State<Arc<TrackingHandler>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    match read(request, tracking_api::MAX_BODY_BYTES).await {
        Ok(request) => handler.handle(request, Some(peer.ip().to_canonical())).await.map(Body::from),
        // Segment answers 400 to what is too large.
        Err(StatusCode::PAYLOAD_TOO_LARGE) => {
            unread(StatusCode::BAD_REQUEST, "too_large", "The request is larger than 500 KB.")
        }
        Err(status) => unread(status, "too_slow", TOO_SLOW),
    }
}

const TOO_SLOW: &str = "The body did not arrive within 10 s.";

/// Reads the body, up to a limit.
async fn read(request: Request, most: usize) -> Result<axum::http::Request<Bytes>, StatusCode> {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(BODY_DEADLINE, axum::body::to_bytes(body, most)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(parts, bytes)),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// A refusal before the whole body was read: the connection ends with it, and the sender is told so.
fn unread(status: StatusCode, code: &str, message: &str) -> Response {
    let mut response = refusal(status, code, message);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Refuses other machines, and also pages of other sites that a browser on this machine was made to ask for
/// (DNS rebinding): they come with a foreign `Host`.
async fn this_machine_only(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host =
        host.rsplit_once(':').map_or(host, |(name, port)| if port.contains(']') { host } else { name });
    if peer.ip().to_canonical().is_loopback() && ["localhost", "127.0.0.1", "[::1]"].contains(&host) {
        next.run(request).await
    } else {
        refusal(StatusCode::FORBIDDEN, "forbidden", "This address answers to the machine it runs on only.")
    }
}

async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.")
}

/// An error answer in the one form.
pub fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, axum::Json(serde_json::json!({"error": code, "message": message}))).into_response()
}
