//! The stand-in: what it received, and its failures on demand.

use axum::{
    Json,
    extract::{Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use segment::json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Debugger, Failed};
use crate::{
    refusal::refusal,
    stand_in::{Entry, Fault},
};

/// The most messages in one answer, and how many are in one that was not asked for more.
const MOST: u32 = 1_000;

#[derive(Deserialize)]
pub struct Limit {
    limit: Option<u32>,
}

/// What the stand-in received, newest first.
pub async fn received(
    State(debugger): State<Debugger>,
    Query(query): Query<Limit>,
) -> Result<Response, Failed> {
    let Some(stand_in) = &debugger.stand_in else {
        let message = "There is no stand-in: messages go to the real Segment, whose debugger shows them.";
        return Ok(refusal(StatusCode::NOT_FOUND, "not_found", message));
    };
    let entries = stand_in.newest(query.limit.unwrap_or(MOST).min(MOST)).await?;
    let messages: Vec<Value> = entries.into_iter().map(as_json).collect();
    Ok(Json(json!({ "messages": messages })).into_response())
}

fn as_json(entry: Entry) -> Value {
    let message: Value = json::parse(entry.message.as_bytes()).unwrap_or_default();
    match entry.dropped {
        None => json!({"receivedAt": entry.received_at, "message": message}),
        Some(reason) => json!({"receivedAt": entry.received_at, "message": message, "dropped": reason}),
    }
}

/// Begins a failure.
pub async fn fail(
    State(debugger): State<Debugger>,
    fault: Result<Json<Fault>, JsonRejection>,
) -> Result<Response, Failed> {
    let Json(fault) = fault?;
    Ok(match fault.check() {
        Ok(()) => change(&debugger, Some(fault)),
        Err(message) => refusal(StatusCode::BAD_REQUEST, "invalid", message),
    })
}

/// Ends it.
pub async fn end_failure(State(debugger): State<Debugger>) -> Response {
    change(&debugger, None)
}

fn change(debugger: &Debugger, fault: Option<Fault>) -> Response {
    match &debugger.stand_in {
        Some(stand_in) => {
            stand_in.set_fault(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        None => refusal(StatusCode::NOT_FOUND, "not_found", "There is no stand-in that could fail."),
    }
}
