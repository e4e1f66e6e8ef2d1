//! The stand-in's failures on demand.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{Debugger, malformed};
use crate::{http::refusal::refusal, stand_in::Fault};

/// Begins one.
pub async fn set(State(debugger): State<Debugger>, fault: Result<Json<Fault>, JsonRejection>) -> Response {
    let fault = match fault {
        Ok(Json(fault)) => fault,
        Err(error) => return malformed(&error),
    };
    match fault.check() {
        Ok(()) => change(&debugger, Some(fault)),
        Err(message) => refusal(StatusCode::BAD_REQUEST, "invalid", message),
    }
}

/// Ends it.
pub async fn end(State(debugger): State<Debugger>) -> Response {
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
