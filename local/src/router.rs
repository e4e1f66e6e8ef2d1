//! The HTTP routes of the one process.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{self, HeaderValue, Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use identity_webhook::Authentication;
use platform::embedded::EmbeddedLedger;

use crate::{
    journal::{ARRIVAL, Arrival, Journal, ObservedTopic},
    names::{self, Names, this_machine_only},
    stand_in,
    stand_in::StandIn,
};

/// How long a request's body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// The identity webhook's handler on the embedded topic and ledger.
pub type IdentityHandler = identity_webhook::Handler<ObservedTopic, EmbeddedLedger>;

/// The tracking API's handler on the embedded topic.
pub type TrackingHandler = tracking_api::Handler<ObservedTopic>;

/// The functions that take requests, with the journal told of each.
#[derive(Clone)]
pub struct Handlers {
    /// The identity webhook.
    pub identity: Arc<IdentityHandler>,
    /// The tracking API.
    pub tracking: Arc<TrackingHandler>,
    /// Who is told.
    pub journal: Journal,
    /// Who has to prove that webhooks are genuine.
    pub authentication: Arc<Authentication>,
    /// The names of this server: what has no proof must be sent to one of them, and by no page of another site.
    pub names: Names,
}

impl Handlers {
    /// Takes an identity provider's webhook.
    pub async fn identity(
        &self,
        request: http::Request<Bytes>,
    ) -> (http::Response<String>, Option<Arc<Arrival>>) {
        let arrival = self.arrival(&request);
        self.told(arrival, self.identity.handle(request)).await
    }

    /// Takes a call of a Segment library.
    pub async fn tracking(
        &self,
        request: http::Request<Bytes>,
        caller: Option<IpAddr>,
    ) -> (http::Response<String>, Option<Arc<Arrival>>) {
        let arrival = self.arrival(&request);
        self.told(arrival, self.tracking.handle(request, caller)).await
    }

    /// The arrival of a request, unless nobody wants to know: a question of a browser or of a monitor brings nothing.
    fn arrival(&self, request: &http::Request<Bytes>) -> Option<Arc<Arrival>> {
        let wanted = self.journal.is_on() && request.method() == Method::POST;
        wanted.then(|| Arc::new(Arrival::new(request, self.journal.now())))
    }

    async fn told(
        &self,
        arrival: Option<Arc<Arrival>>,
        response: impl Future<Output = http::Response<String>>,
    ) -> (http::Response<String>, Option<Arc<Arrival>>) {
        let Some(arrival) = arrival else { return (response.await, None) };
        let response = ARRIVAL.scope(arrival.clone(), response).await;
        self.journal.answered(&arrival, &response);
        (response, Some(arrival))
    }
}

/// All routes. What takes messages without proof takes none from pages of other sites, and none for other hosts. `health` and `page` are those of the health checks and the debugger; the stand-in answers to this machine
/// only.
pub fn router(handlers: &Handlers, health: Router, page: Router, stand_in: Option<StandIn>) -> Router {
    let mut router = Router::new()
        .route("/identity/{*provider}", any(identity_webhook))
        .route("/v1/{*call}", any(tracking_api))
        .with_state(handlers.clone())
        .merge(health)
        .merge(page);
    if let Some(stand_in) = stand_in {
        let stand_in = stand_in::routes(stand_in)
            .layer(middleware::from_fn(this_machine_only))
            .layer(middleware::from_fn_with_state(handlers.names.clone(), names::guard));
        router = router.nest(stand_in::PATH, stand_in);
    }
    router.fallback(not_found)
}

async fn identity_webhook(State(handlers): State<Handlers>, request: Request) -> Response {
    let proves = identity_webhook::address_of(request.uri().path())
        .is_some_and(|address| handlers.authentication.is_configured_for(address));
    if let Some(message) = handlers.names.refusal(request.headers()).filter(|_| !proves) {
        tracing::warn!(reason = message, "A webhook was rejected.");
        return unread(StatusCode::FORBIDDEN, "forbidden", &message);
    }
    match read(request, identity_webhook::MAX_BODY_BYTES).await {
        Ok(request) => handlers.identity(request).await.0.map(Body::from),
        Err(StatusCode::PAYLOAD_TOO_LARGE) => {
            unread(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "The body is larger than 6 MB.")
        }
        Err(status) => unread(status, "too_slow", TOO_SLOW),
    }
}

async fn tracking_api(
    State(handlers): State<Handlers>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    match read(request, tracking_api::MAX_BODY_BYTES).await {
        Ok(request) => {
            let caller = Some(peer.ip().to_canonical());
            handlers.tracking(request, caller).await.0.map(Body::from)
        }
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

async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.")
}

/// An error answer in the one form.
pub fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, axum::Json(serde_json::json!({"error": code, "message": message}))).into_response()
}
