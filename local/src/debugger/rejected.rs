//! The rejected queue: messages that came with good ones and were not taken.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};

use super::{Debugger, Failed};
use crate::queues::rejected;

/// The newest, newest first.
pub async fn list(State(debugger): State<Debugger>) -> Result<Response, Failed> {
    Ok(Json(rejected::newest(&debugger.rejected).await?).into_response())
}

/// Removes all for good.
pub async fn purge(State(debugger): State<Debugger>) -> Result<Response, Failed> {
    Ok(Json(rejected::purge(&debugger.rejected).await?).into_response())
}
