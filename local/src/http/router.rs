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
    middleware,
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

/// The functions that take requests. The journal records each request.
pub struct Handlers {
    /// The identity webhook.
    pub identity: IdentityHandler,
    /// The tracking API.
    pub tracking: TrackingHandler,
    /// The topic of both.
    pub topic: ObservedTopic,
    /// The journal.
    pub journal: Journal,
    /// The providers whose webhooks need a signature or a token.
    pub authentication: Arc<Authentication>,
    /// Whether the write key is the stand-in's well-known one.
    pub well_known_key: bool,
    /// The names of this server. Requests without proof must be for one of them, and not from a page of
    /// another site.
    pub names: Names,
}

impl Handlers {
    /// Handles a webhook of an identity provider.
    pub async fn identity(
        &self,
        request: http::Request<Bytes>,
    ) -> (http::Response<Bytes>, Option<Arc<Arrival>>) {
        let arrival = self.arrival(&request);
        let answer = self.identity.handle(request, &self.topic.of(arrival.as_ref())).await;
        self.record_answer(arrival, answer.response.map(Bytes::from), answer.mapping.as_ref())
    }

    /// Handles a call of a Segment library.
    pub async fn tracking(
        &self,
        request: http::Request<Bytes>,
        caller: Option<IpAddr>,
    ) -> (http::Response<Bytes>, Option<Arc<Arrival>>) {
        let arrival = self.arrival(&request);
        let response = self.tracking.handle(request, caller, &self.topic.of(arrival.as_ref())).await;
        self.record_answer(arrival, response, None)
    }

    /// Records a request, if the journal is on. GET requests of browsers and monitors carry no message,
    /// except pixels.
    fn arrival(&self, request: &http::Request<Bytes>) -> Option<Arc<Arrival>> {
        let is_pixel = request.method() == Method::GET && request.uri().path().contains("/v1/pixel/");
        let recorded = self.journal.is_on() && (request.method() == Method::POST || is_pixel);
        recorded.then(|| self.journal.arrival(request))
    }

    /// Refuses a request by its headers.
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

/// The two routes that accept messages. Each is one function: a stack of middleware would allocate for every layer of
/// every request.
struct Ingest {
    handlers: Arc<Handlers>,
    identity: Limit,
    tracking: Limit,
}

/// Returns all routes. Routes that accept messages without proof refuse pages of other sites and other hosts.
/// `health` and `page` are the routes of the health checks and the debugger. The stand-in answers this
/// machine only.
pub fn router(handlers: &Arc<Handlers>, health: Router, page: Router, stand_in: Option<Router>) -> Router {
    let budget = BodyBudget::default();
    let limit = |most: usize, status: StatusCode, sentence: &'static str| Limit {
        budget: budget.clone(),
        most,
        too_large: (status, sentence),
    };
    let ingest = Ingest {
        handlers: handlers.clone(),
        identity: limit(
            identity_webhook::MAX_BODY_BYTES,
            StatusCode::PAYLOAD_TOO_LARGE,
            "The body is larger than 6 MB.",
        ),
        // Segment answers 400 to a request that is too large.
        tracking: limit(
            tracking_api::MAX_BODY_BYTES,
            StatusCode::BAD_REQUEST,
            "The request is larger than 576 KB.",
        ),
    };
    let ingest = Router::new()
        .route("/identity/{*provider}", any(identity_webhook))
        .route("/v1/{*call}", any(tracking_api))
        // A base path may precede the call.
        .route("/{*path}", any(tracking_api))
        .with_state(Arc::new(ingest));
    let mut router = ingest.merge(health).merge(page);
    if let Some(stand_in) = stand_in {
        let most =
            limit(MAX_REQUEST_BYTES, StatusCode::PAYLOAD_TOO_LARGE, "The request is larger than 500 KB.");
        let stand_in = stand_in
            .layer(middleware::from_fn_with_state(most, bodies::bounded))
            .layer(middleware::from_fn(this_machine_only))
            .layer(middleware::from_fn_with_state(handlers.names.clone(), names::guard));
        router = router.merge(stand_in);
    }
    router.fallback(not_found)
}

/// Takes a webhook. Refuses one without proof that is for another host or from a page of another site.
async fn identity_webhook(State(ingest): State<Arc<Ingest>>, request: Request) -> Response {
    let handlers = &ingest.handlers;
    let proves = identity_webhook::address_of(request.uri().path())
        .is_some_and(|address| handlers.authentication.is_configured_for(address));
    if !proves && let Some(message) = handlers.names.refusal(request.headers()) {
        return forbidden(&message);
    }
    match bodies::read(request, &ingest.identity).await {
        Ok((request, _reserved)) => handlers.identity(request).await.0.map(Body::from),
        Err(refusal) => refusal,
    }
}

/// Takes a call of a Segment library. Pages of other origins can read each answer, including refusals from outside the
/// function: a library takes an unreadable answer for a broken connection.
async fn tracking_api(
    State(ingest): State<Arc<Ingest>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let mut response = call(&ingest, peer, request).await;
    let headers = response.headers_mut();
    headers.entry(header::ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(HeaderValue::from_static("*"));
    headers.entry(header::ACCESS_CONTROL_EXPOSE_HEADERS).or_insert(HeaderValue::from_static("Retry-After"));
    response
}

/// Refuses a call with a wrong write key in its headers before its body is read. Everybody knows the
/// stand-in's write key, so with it only this machine may call, and not through a tunnel.
async fn call(ingest: &Ingest, peer: SocketAddr, request: Request) -> Response {
    let handlers = &ingest.handlers;
    let path = request.uri().path();
    if !(tracking_api::is_call(path) || path.starts_with("/v1/")) {
        return not_found().await;
    }
    if handlers.well_known_key && !is_this_machine(peer, &request) {
        let message = "The stand-in's write key works only on this machine, by the names localhost and 127.0.0.1 and without a \
                       proxy. Set SEGMENT_WRITE_KEY to accept other machines.";
        return forbidden(message);
    }
    // A body is not `Sync`, so it cannot be borrowed across an await.
    let (parts, body) = request.into_parts();
    let head = http::Request::from_parts(parts, ());
    if let Some(refusal) = handlers.tracking.refusal(&head).await {
        return handlers.refuse(head, refusal);
    }
    match bodies::read(Request::from_parts(head.into_parts().0, body), &ingest.tracking).await {
        Ok((request, _reserved)) => {
            let caller = Some(caller::address(peer.ip(), request.headers()));
            handlers.tracking(request, caller).await.0.map(Body::from)
        }
        Err(refusal) => refusal,
    }
}

/// Refuses a request for its origin or host. The page does not list it: any site in a browser could fill the
/// list.
fn forbidden(message: &str) -> Response {
    tracing::warn!(reason = message, "A request was rejected.");
    telemetry::rejected("forbidden", 1);
    refusal(StatusCode::FORBIDDEN, "forbidden", message)
}

async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "not_found", "There is nothing at this address.")
}
