//! The page at `/` and its JSON.

pub mod access;
mod live;
mod numbers;
mod page;
mod queues;
mod samples;
mod setup;
mod stand_in;
mod try_it;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use platform::{
    secrets::CachedSecret,
    sqlite::{SqliteRejectedQueue, StoreError},
    telemetry::Chain,
    write_keys::WriteKeys,
};
use tokio::sync::{Semaphore, watch};

pub use self::{access::Access, live::MAX_VIEWERS, numbers::CachedNumbers, setup::Setup};
use crate::{
    http::router::Handlers,
    journal::{Journal, ViewContext},
    queues::Queues,
    refusal::refusal,
    stand_in::StandIn,
};

/// What the page shows, and what its buttons act on.
#[derive(Clone)]
pub struct Debugger {
    /// What happened to each message.
    pub journal: Journal,
    /// The queues.
    pub queues: Queues,
    /// The rejected queue.
    pub rejected: SqliteRejectedQueue,
    /// The stand-in, unless there is a real Segment.
    pub stand_in: Option<StandIn>,
    /// How messages came to be and go to Segment.
    pub view_context: Arc<ViewContext>,
    /// The functions, to try them.
    pub handlers: Handlers,
    /// With which write key to try them.
    pub write_keys: Arc<CachedSecret<WriteKeys>>,
    /// What is configured.
    pub setup: Arc<Setup>,
    /// Changes when the process stops: then nobody is kept waiting for news.
    pub stop: watch::Receiver<bool>,
    /// The numbers, counted once for all who look.
    pub numbers: CachedNumbers,
    /// A permit for each who may follow the list.
    pub viewers: Arc<Semaphore>,
}

/// The page, what it is made of, and its JSON under `/debugger/api`, for those whom `access` lets in.
pub fn routes(debugger: Debugger, access: Access) -> Router {
    let api = Router::new()
        .route("/live", get(live::live))
        .route("/messages/{id}", get(details))
        .route("/setup", get(setup::setup))
        .route("/samples", get(samples::samples))
        .route("/try", post(try_it::try_it))
        .route("/queues", get(queues::queues))
        .route("/stand-in", get(stand_in::received))
        .route("/dead-letters", get(queues::dead_letters))
        .route("/rejected", get(queues::rejected).delete(queues::purge_rejected))
        .route("/redrive", post(queues::redrive))
        .route("/purge", post(queues::purge))
        .route("/fault", put(stand_in::start_fault).delete(stand_in::end_fault));
    Router::new()
        .route("/", get(page::page))
        .route("/debugger/page/{file}", get(page::file))
        .nest("/debugger/api", api)
        .with_state(debugger)
        .layer(middleware::from_fn_with_state(access, access::guard))
        .layer(middleware::map_response(page::protected))
}

async fn details(State(debugger): State<Debugger>, Path(id): Path<u64>) -> Response {
    match debugger.journal.details(id, &debugger.view_context) {
        Some(details) => Json(details).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "not_found", "This message is not kept any more."),
    }
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The body must be declared as JSON, which a page of another site cannot do.
    #[error("the body cannot be read")]
    Malformed(#[from] JsonRejection),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Store(error) => {
                tracing::error!(error = %Chain(&error), "The page could not be made.");
                let message = "The store failed; the log says more.";
                refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            }
            Self::Malformed(error) => {
                refusal(StatusCode::BAD_REQUEST, "malformed", &format!("{}.", error.body_text()))
            }
        }
    }
}
