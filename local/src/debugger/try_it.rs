//! Sends a body as if a provider or a library had.

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::JsonRejection},
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use identity_webhook::Vouched;
use platform::write_keys::DEFAULT;
use serde::Deserialize;
use serde_json::json;

use super::{Debugger, malformed};
use crate::router::refusal;

/// What is to be sent where.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trial {
    path: String,
    #[serde(default)]
    content_type: Option<String>,
    body: String,
}

/// Sends it, and says what was answered and which rows came of it.
pub async fn try_it(State(debugger): State<Debugger>, trial: Result<Json<Trial>, JsonRejection>) -> Response {
    let trial = match trial {
        Ok(Json(trial)) => trial,
        Err(error) => return malformed(&error),
    };
    let content_type = trial.content_type.as_deref().unwrap_or("application/json");
    let request = Request::post(&trial.path).header(header::CONTENT_TYPE, content_type);
    let Ok(mut request) = request.body(Bytes::from(trial.body)) else {
        return refusal(StatusCode::BAD_REQUEST, "invalid", "The path or the content type is not usable.");
    };
    let revision = debugger.journal.revision();
    let (answer, arrival) = if trial.path.starts_with("/identity/") {
        // Whoever may use this page may do what a provider does; the proof is the provider's alone.
        request.extensions_mut().insert(Vouched);
        debugger.handlers.identity(request).await
    } else if trial.path.starts_with("/v1/") {
        let keys = debugger.write_keys.get().await.ok();
        let key = keys.as_ref().and_then(|keys| keys.get(DEFAULT)).map_or("", |key| key.expose());
        if let Ok(value) = format!("Basic {}", STANDARD.encode(format!("{key}:"))).parse() {
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        debugger.handlers.tracking(request, None).await
    } else {
        let message = "The path must begin with /identity/ or /v1/.";
        return refusal(StatusCode::BAD_REQUEST, "invalid", message);
    };
    let ids = arrival.map_or_else(Vec::new, |arrival| debugger.journal.made_of(&arrival, revision));
    Json(json!({"status": answer.status().as_u16(), "answer": answer.body(), "ids": ids})).into_response()
}
