//! The page at `/` and its JSON.

mod page;

use axum::{
    Json, Router,
    extract::{Query, State, rejection::JsonRejection},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post, put},
};
use platform::{
    embedded::{EmbeddedQueue, StoreError},
    telemetry::Chain,
};
use segment::Endpoint;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    redrive::Choice,
    router::refusal,
    stand_in::{Entry, Fault, StandIn},
};

/// How many messages the page shows.
const ON_PAGE: u32 = 200;

/// The most messages in one JSON answer.
const MOST: u32 = 1_000;

/// Only our own style and nothing else: whatever a message holds, the browser runs none of it.
const CONTENT_SECURITY_POLICY: &str = concat!(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; ",
    "frame-ancestors 'none'"
);

/// What the page shows.
#[derive(Clone)]
pub struct Debugger {
    /// The queues.
    pub queues: Queues,
    /// The stand-in, unless there is a real Segment.
    pub stand_in: Option<StandIn>,
    /// The real Segment.
    pub endpoint: Option<Endpoint>,
}

/// What leads to the destinations.
#[derive(Clone)]
pub struct Queues {
    /// To Segment.
    pub segment: EmbeddedQueue,
    /// To the webhooks.
    pub webhooks: EmbeddedQueue,
    /// To Segment's Public API.
    pub regulations: EmbeddedQueue,
}

impl Queues {
    /// Each with its name in JSON, and what a person waits for.
    pub fn named(&self) -> [(&'static str, &'static str, &EmbeddedQueue); 3] {
        [
            ("segment", "Segment", &self.segment),
            ("webhooks", "webhooks", &self.webhooks),
            ("regulations", "deletion at Segment", &self.regulations),
        ]
    }
}

/// The page, `/debugger/api/messages`, `/debugger/api/queues`, `/debugger/api/redrive` and
/// `/debugger/api/fault`.
pub fn routes(debugger: Debugger) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/debugger/api/messages", get(messages))
        .route("/debugger/api/queues", get(queues))
        .route("/debugger/api/redrive", post(redrive))
        .route("/debugger/api/fault", put(set_fault).delete(end_fault))
        .with_state(debugger)
}

async fn page(State(debugger): State<Debugger>) -> Result<Response, Failed> {
    let entries = match &debugger.stand_in {
        Some(stand_in) => stand_in.newest(ON_PAGE).await?,
        None => Vec::new(),
    };
    let mut counts = Vec::new();
    for (_, name, queue) in debugger.queues.named() {
        counts.push((name, queue.depth().await?, queue.dead_letter_depth().await?));
    }
    let html = page::render(&entries, &counts, debugger.endpoint.as_ref());
    Ok(([(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)], Html(html)).into_response())
}

#[derive(Deserialize)]
struct Limit {
    limit: Option<u32>,
}

async fn messages(State(debugger): State<Debugger>, Query(query): Query<Limit>) -> Result<Response, Failed> {
    let Some(stand_in) = &debugger.stand_in else {
        let message = "There is no stand-in: messages go to the real Segment, whose debugger shows them.";
        return Ok(refusal(StatusCode::NOT_FOUND, "not_found", message));
    };
    let entries = stand_in.newest(query.limit.unwrap_or(ON_PAGE).min(MOST)).await?;
    let messages: Vec<Value> = entries.into_iter().map(as_json).collect();
    Ok(Json(json!({ "messages": messages })).into_response())
}

fn as_json(entry: Entry) -> Value {
    let message: Value = serde_json::from_str(&entry.message).unwrap_or_default();
    match entry.dropped {
        None => json!({"receivedAt": entry.received_at, "message": message}),
        Some(reason) => json!({"receivedAt": entry.received_at, "message": message, "dropped": reason}),
    }
}

async fn queues(State(debugger): State<Debugger>) -> Result<Response, Failed> {
    let mut states = Map::new();
    for (name, _, queue) in debugger.queues.named() {
        states.insert(name.to_owned(), state(queue).await?);
    }
    Ok(Json(states).into_response())
}

async fn state(queue: &EmbeddedQueue) -> Result<Value, Failed> {
    let dead = queue.dead_letters().await?.into_iter();
    let dead: Vec<Value> =
        dead.map(|(body, attributes)| json!({"body": body, "attributes": attributes})).collect();
    Ok(json!({"depth": queue.depth().await?, "deadLetters": dead}))
}

/// The body must be declared as JSON, which a page of another site cannot do.
async fn redrive(
    State(debugger): State<Debugger>,
    choice: Result<Json<Choice>, JsonRejection>,
) -> Result<Response, Failed> {
    match choice {
        Ok(Json(choice)) => Ok(Json(choice.redrive(&debugger.queues).await?).into_response()),
        Err(error) => Ok(malformed(&error)),
    }
}

async fn set_fault(State(debugger): State<Debugger>, fault: Result<Json<Fault>, JsonRejection>) -> Response {
    let fault = match fault {
        Ok(Json(fault)) => fault,
        Err(error) => return malformed(&error),
    };
    match fault.check() {
        Ok(()) => change_fault(&debugger, Some(fault)),
        Err(message) => refusal(StatusCode::BAD_REQUEST, "invalid", message),
    }
}

fn malformed(error: &JsonRejection) -> Response {
    refusal(StatusCode::BAD_REQUEST, "malformed", &format!("{}.", error.body_text()))
}

async fn end_fault(State(debugger): State<Debugger>) -> Response {
    change_fault(&debugger, None)
}

fn change_fault(debugger: &Debugger, fault: Option<Fault>) -> Response {
    match &debugger.stand_in {
        Some(stand_in) => {
            stand_in.set_fault(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        None => refusal(StatusCode::NOT_FOUND, "not_found", "There is no stand-in that could fail."),
    }
}

/// The store failed; the log says how.
struct Failed(StoreError);

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        tracing::error!(error = %Chain(&self.0), "The page could not be made.");
        refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store failed; the log says more.")
    }
}
