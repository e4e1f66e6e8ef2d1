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
use identity_webhook::{Handler, MAX_BODY_BYTES};
use platform::embedded::EmbeddedTopic;

use crate::{debugger, debugger::Debugger, stand_in, stand_in::StandIn};

/// How long a request's body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// The identity webhook's handler on the embedded topic.
pub type IdentityHandler = Handler<EmbeddedTopic>;

/// All routes. The page and the stand-in answer to this machine only: they show personal data.
pub fn router(identity: Arc<IdentityHandler>, debugger: Debugger, stand_in: Option<StandIn>) -> Router {
    let mut private = debugger::routes(debugger);
    if let Some(stand_in) = stand_in {
        private = private.nest(stand_in::PATH, stand_in::routes(stand_in));
    }
    let public = Router::new()
        .route("/health", any(identity_webhook))
        .route("/identity/{*provider}", any(identity_webhook))
        .with_state(identity);
    private.layer(middleware::from_fn(this_machine_only)).merge(public).fallback(not_found)
}

async fn identity_webhook(State(handler): State<Arc<IdentityHandler>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(BODY_DEADLINE, axum::body::to_bytes(body, MAX_BODY_BYTES));
    match read.await {
        Ok(Ok(bytes)) => handler.handle(Request::from_parts(parts, bytes)).await.map(Body::from),
        Ok(Err(_)) => unread(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is larger than 1 MiB."),
        Err(_) => unread(StatusCode::REQUEST_TIMEOUT, "too_slow", "The body did not arrive within 10 s."),
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
