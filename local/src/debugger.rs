//! The page at `/` and its JSON API.

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

/// The data that the page shows and changes.
#[derive(Clone)]
pub struct Debugger {
    /// The journal of messages.
    pub journal: Journal,
    /// The queues.
    pub queues: Queues,
    /// The rejected queue.
    pub rejected: SqliteRejectedQueue,
    /// The stand-in; none with a real Segment.
    pub stand_in: Option<StandIn>,
    /// The context for the details of a message.
    pub view_context: Arc<ViewContext>,
    /// The functions, for Try it.
    pub handlers: Arc<Handlers>,
    /// The write keys, for Try it.
    pub write_keys: Arc<CachedSecret<WriteKeys>>,
    /// The configuration.
    pub setup: Arc<Setup>,
    /// Changes when the process stops, which ends the live streams.
    pub stop: watch::Receiver<bool>,
    /// The numbers, counted once for all viewers.
    pub numbers: CachedNumbers,
    /// One permit for each viewer of the live list.
    pub viewers: Arc<Semaphore>,
}

/// Returns the routes of the page, its files, and its JSON under `/debugger/api`, guarded by `access`.
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

/// An error of the JSON API.
#[derive(Debug, thiserror::Error)]
enum ApiError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The body must have the content type of JSON, which a page of another site cannot send.
    #[error("the body cannot be read")]
    Malformed(#[from] JsonRejection),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Store(error) => {
                tracing::error!(error = %Chain(&error), "The page cannot read the store.");
                let message = "The store failed; the log says more.";
                refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
            }
            Self::Malformed(error) => {
                refusal(StatusCode::BAD_REQUEST, "malformed", &format!("{}.", error.body_text()))
            }
        }
    }
}
