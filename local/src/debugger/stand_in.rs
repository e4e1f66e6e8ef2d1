//! The JSON API of the stand-in: its messages and its faults.

use axum::{
    Json,
    extract::{Query, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use segment::json;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Debugger};
use crate::{
    refusal::refusal,
    stand_in::{Fault, ReceivedMessage},
};

/// The most messages in one answer, and the default.
const MAX_MESSAGES: u32 = 1_000;

#[derive(Deserialize)]
pub struct Limit {
    limit: Option<u32>,
}

/// Returns the messages that the stand-in received, newest first.
pub async fn received(
    State(debugger): State<Debugger>,
    Query(query): Query<Limit>,
) -> Result<Response, ApiError> {
    let Some(stand_in) = &debugger.stand_in else {
        let message = "There is no stand-in: messages go to the real Segment. See its debugger.";
        return Ok(refusal(StatusCode::NOT_FOUND, "not_found", message));
    };
    let entries = stand_in.newest(query.limit.unwrap_or(MAX_MESSAGES).min(MAX_MESSAGES)).await?;
    let messages: Vec<Value> = entries.into_iter().map(as_json).collect();
    Ok(Json(json!({ "messages": messages })).into_response())
}

fn as_json(entry: ReceivedMessage) -> Value {
    let message: Value = json::parse(entry.message.as_bytes()).unwrap_or_default();
    match entry.dropped {
        None => json!({"receivedAt": entry.received_at, "message": message}),
        Some(reason) => json!({"receivedAt": entry.received_at, "message": message, "dropped": reason}),
    }
}

/// Starts a fault.
pub async fn start_fault(
    State(debugger): State<Debugger>,
    fault: Result<Json<Fault>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(fault) = fault?;
    Ok(match fault.check() {
        Ok(()) => set_fault(&debugger, Some(fault)),
        Err(message) => refusal(StatusCode::BAD_REQUEST, "invalid", message),
    })
}

/// Ends the fault.
pub async fn end_fault(State(debugger): State<Debugger>) -> Response {
    set_fault(&debugger, None)
}

fn set_fault(debugger: &Debugger, fault: Option<Fault>) -> Response {
    match &debugger.stand_in {
        Some(stand_in) => {
            stand_in.set_fault(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        None => refusal(
            StatusCode::NOT_FOUND,
            "not_found",
            "There is no stand-in to fail: messages go to the real Segment.",
        ),
    }
}
