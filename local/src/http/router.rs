//! The HTTP routes of the one process.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{self, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use identity::Mapping;
use identity_webhook::Authentication;
use platform::{
    sqlite::{SqliteLedger, SqliteRejectedQueue},
    telemetry,
};
use segment::MAX_REQUEST_BYTES;

use super::{
    bodies::{self, BodyBudget, Limit},
    caller,
    names::{self, Names, is_this_machine, this_machine_only},
};
use crate::{
    journal::{Arrival, Journal, ObservedTopic},
    refusal::refusal,
};

/// The identity webhook's handler on the SQLite ledger.
pub type IdentityHandler = identity_webhook::Handler<SqliteLedger>;

/// The tracking API's handler on the SQLite rejected queue.
pub type TrackingHandler = tracking_api::Handler<SqliteRejectedQueue>;

/// The functions that take requests, with the journal told of each.
#[derive(Clone)]
pub struct Handlers {
    /// The identity webhook.
    pub identity: Arc<IdentityHandler>,
    /// The tracking API.
    pub tracking: Arc<TrackingHandler>,
    /// Where both publish.
    pub topic: ObservedTopic,
    /// Who is told.
    pub journal: Journal,
    /// The providers that have to prove that webhooks are genuine.
    pub authentication: Arc<Authentication>,
    /// Whether the write key is the stand-in's.
    pub well_known_key: bool,
    /// The names of this server: what has no proof must be sent to one of them, and by no page of another site.
    pub names: Names,
}

impl Handlers {
    /// Takes an identity provider's webhook.
    pub async fn identity(
        &self,
        request: http::Request<Bytes>,
    ) -> (http::Response<Bytes>, Option<Arc<Arrival>>) {
        let arrival = self.arrival(&request);
        let answer = self.identity.handle(request, &self.topic.of(arrival.clone())).await;
        self.record_answer(arrival, answer.response.map(Bytes::from), answer.mapping.as_ref())
    }

    /// Takes a call of a Segment library.
    pub async fn tracking(
        &self,
        request: http::Request<Bytes>,
        caller: Option<IpAddr>,
    ) -> (http::Response<Bytes>, Option<Arc<Arrival>>) {
        let arrival = self.arrival(&request);
        let response = self.tracking.handle(request, caller, &self.topic.of(arrival.clone())).await;
        self.record_answer(arrival, response, None)
    }

    /// The arrival of a request, unless nobody wants to know: a question of a browser or of a monitor brings nothing.
    fn arrival(&self, request: &http::Request<Bytes>) -> Option<Arc<Arrival>> {
        let is_pixel = request.method() == Method::GET && request.uri().path().contains("/v1/pixel/");
        let recorded = self.journal.is_on() && (request.method() == Method::POST || is_pixel);
        recorded.then(|| Arc::new(Arrival::new(request, self.journal.now())))
    }

    /// Refuses a request for its head.
    fn refuse<B>(&self, request: http::Request<B>, answer: http::Response<Bytes>) -> Response {
        let arrival = self.arrival(&request.map(|_| Bytes::new()));
        self.record_answer(arrival, answer, None).0.map(Body::from)
    }

    fn record_answer(
        &self,
        arrival: Option<Arc<Arrival>>,
        response: http::Response<Bytes>,
        mapping: Option<&Mapping>,
    ) -> (http::Response<Bytes>, Option<Arc<Arrival>>) {
        if let Some(arrival) = &arrival {
            self.journal.answered(arrival, &response, mapping);
        }
        (response, arrival)
    }
}

/// All routes. Addresses that take messages without proof take none from pages of other sites, and none for other hosts. `health` and
/// `page` are those of the health checks and the debugger; the stand-in answers to this machine only.
pub fn router(handlers: &Handlers, health: Router, page: Router, stand_in: Option<Router>) -> Router {
    let budget = BodyBudget::default();
    let bounded = |most: usize, status: StatusCode, sentence: &'static str| {
        let limit = Limit { budget: budget.clone(), most, too_large: (status, sentence) };
        middleware::from_fn_with_state(limit, bodies::read)
    };
    let identity = Router::new()
        .route("/identity/{*provider}", any(identity_webhook))
        .layer(bounded(
            identity_webhook::MAX_BODY_BYTES,
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than 6 MB.",
        ))
        .layer(middleware::from_fn_with_state(handlers.clone(), guard_unauthenticated));
    // Segment answers 400 to what is too large.
    let too_large = (StatusCode::BAD_REQUEST, "The request is larger than 576 KB.");
    let tracking = Router::new()
        .route("/v1/{*call}", any(tracking_api))
        // A base path may come before.
        .route("/{*path}", any(tracking_api))
        .layer(bounded(tracking_api::MAX_BODY_BYTES, too_large.0, too_large.1))
        .layer(middleware::from_fn_with_state(handlers.clone(), guard_write_key))
        .layer(middleware::map_response(readable_cross_origin));
    let mut router = identity.merge(tracking).with_state(handlers.clone()).merge(health).merge(page);
    if let Some(stand_in) = stand_in {
        let stand_in = stand_in
            .layer(bounded(
                MAX_REQUEST_BYTES,
                StatusCode::PAYLOAD_TOO_LARGE,
                "The request is larger than 500 KB.",
            ))
            .layer(middleware::from_fn(this_machine_only))
            .layer(middleware::from_fn_with_state(handlers.names.clone(), names::guard));
        router = router.merge(stand_in);
    }
    router.fallback(not_found)
}

/// Refuses a webhook without proof that is not for us or comes from a page of another site.
async fn guard_unauthenticated(State(handlers): State<Handlers>, request: Request, next: Next) -> Response {
    let proves = identity_webhook::address_of(request.uri().path())
        .is_some_and(|address| handlers.authentication.is_configured_for(address));
    match handlers.names.refusal(request.headers()).filter(|_| !proves) {
        Some(message) => forbidden(&message),
        None => next.run(request).await,
    }
}

/// Refuses a call for the write key in its head before its body is read. The stand-in's write key proves nothing, as everybody knows
/// it: with it, calls come from this machine alone, as through no tunnel.
async fn guard_write_key(
    State(handlers): State<Handlers>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    if !(tracking_api::is_call(path) || path.starts_with("/v1/")) {
        return not_found().await;
    }
    if handlers.well_known_key && !is_this_machine(peer, &request) {
        let message = "The stand-in's write key is good on this machine only, by the names localhost and 127.0.0.1 and without a \
                       proxy. Set SEGMENT_WRITE_KEY to let others in.";
        return forbidden(message);
    }
    // A body cannot be shared while an answer is waited for.
    let (parts, body) = request.into_parts();
    let head = http::Request::from_parts(parts, ());
    match handlers.tracking.refusal(&head).await {
        Some(refusal) => handlers.refuse(head, refusal),
        None => next.run(Request::from_parts(head.into_parts().0, body)).await,
    }
}

async fn identity_webhook(State(handlers): State<Handlers>, request: Request) -> Response {
    handlers.identity(bodies::whole(request).await).await.0.map(Body::from)
}

async fn tracking_api(
    State(handlers): State<Handlers>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let caller = Some(caller::address(peer.ip(), request.headers()));
    handlers.tracking(bodies::whole(request).await, caller).await.0.map(Body::from)
}

/// Lets a page read every answer to its library, also those that do not come from the function: it would take one that it cannot
/// read for a broken connection.
async fn readable_cross_origin(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(HeaderValue::from_static("*"));
    headers.entry(header::ACCESS_CONTROL_EXPOSE_HEADERS).or_insert(HeaderValue::from_static("Retry-After"));
    response
}

/// The answer to a request that may not come from where it comes. The page does not show it: any site that is open in a browser
/// could fill the list.
fn forbidden(message: &str) -> Response {
    tracing::warn!(reason = message, "A request was rejected.");
    telemetry::rejected("forbidden", 1);
    refusal(StatusCode::FORBIDDEN, "forbidden", message)
}

async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.")
}
