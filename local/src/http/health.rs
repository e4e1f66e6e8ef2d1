//! Health checks for load balancers, monitors and supervisors.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use platform::{
    sqlite::{Condition, Store},
    telemetry::Chain,
};
use serde_json::json;

use crate::refusal::refusal;

/// The `Retry-After` in seconds. Segue checks its disk more often.
const RETRY_AFTER: u32 = 5;

/// Returns the routes. `GET /health` answers 200 while messages are accepted, else 503 with the reason. `GET
/// /health/live` answers 200 while the process runs: a restart cannot free disk space.
pub fn routes(store: Store) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/health/live", get(well))
        .method_not_allowed_fallback(wrong_method)
        .with_state(store)
}

async fn health(State(store): State<Store>) -> Response {
    let reason = match store.condition() {
        Condition::Accepting => return well().await,
        Condition::Refusing(refusal) => Chain(&refusal).to_string(),
        Condition::Broken(error) => Chain(&error).to_string(),
    };
    let message = format!("No message is accepted: {reason}.");
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &message);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    response
}

async fn well() -> Response {
    Json(json!({"status": "ok"})).into_response()
}

async fn wrong_method() -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Use GET.")
}
