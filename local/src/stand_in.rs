//! The stand-in (a fake Segment built into Segue): has the limits, the silent drops and the deduplication of
//! Segment's HTTP API, and fails on demand.

mod fault;
mod intake;
mod store;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use platform::{
    clock::SharedClock,
    encoding::basic,
    sqlite::{Store, StoreError},
    telemetry::Chain,
};
use serde_json::{Value, json};

pub use self::{fault::Fault, store::ReceivedMessage};
use crate::refusal::refusal;

/// The path of its routes.
const PATH: &str = "/stand-in";

/// Returns its base URL on the `segue serve` at this address.
pub fn url(server: SocketAddr) -> String {
    format!("http://{server}{PATH}")
}

/// Called with the messages that the stand-in receives, before it stores them. May set their source.
pub type OnReceive = Arc<dyn Fn(&mut [ReceivedMessage]) + Send + Sync>;

/// The stand-in and its messages.
#[derive(Clone)]
pub struct StandIn {
    store: Store,
    clock: SharedClock,
    on_receive: OnReceive,
    fault: Arc<Mutex<Option<Fault>>>,
}

impl StandIn {
    /// Creates a stand-in that stores its messages in `store` and calls `on_receive`.
    ///
    /// # Errors
    /// [`StoreError`] when its table cannot be created.
    pub async fn new(store: Store, clock: SharedClock, on_receive: OnReceive) -> Result<Self, StoreError> {
        store::create(&store).await?;
        Ok(Self { store, clock, on_receive, fault: Arc::default() })
    }

    /// Starts a fault. `None` ends it.
    pub fn set_fault(&self, fault: Option<Fault>) {
        let until = |fault: Fault| fault.starting(self.clock.steady());
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault.map(until);
    }

    /// Returns the newest messages, newest first.
    pub async fn newest(&self, most: u32) -> Result<Vec<ReceivedMessage>, StoreError> {
        store::newest(&self.store, most).await
    }

    /// Returns the active fault for the page.
    pub fn fault(&self) -> Option<Value> {
        self.active_fault().map(|fault| fault.as_json(self.clock.steady()))
    }

    fn active_fault(&self) -> Option<Fault> {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.steady();
        *fault = fault.take().filter(|fault| fault.lasts(now));
        fault.clone()
    }
}

/// Returns the routes: `POST /v1/{call}` under [`PATH`].
pub fn routes(stand_in: StandIn) -> Router {
    Router::new().route(&format!("{PATH}/v1/{{call}}"), post(receive)).with_state(stand_in)
}

async fn receive(
    State(stand_in): State<StandIn>,
    Path(call): Path<String>,
    Query(query): Query<std::collections::HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(fault) = stand_in.active_fault()
        && let Some(response) = fault.apply(&stand_in.clock).await
    {
        return response;
    }
    let gzip = headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
    let mut entries = match intake::read(&call, &body, gzip, stand_in.clock.now()) {
        Ok(intake) if intake.write_key || authorized(&headers) || query.contains_key("writeKey") => {
            intake.entries
        }
        Ok(_) => return refusal(StatusCode::UNAUTHORIZED, "unauthorized", "There is no write key."),
        Err(intake::IntakeError::NoSuchCall) => {
            return refusal(StatusCode::NOT_FOUND, "not_found", "Segment has no such call.");
        }
        Err(error) => return refusal(StatusCode::BAD_REQUEST, "malformed", &error.to_string()),
    };
    (stand_in.on_receive)(&mut entries);
    match store::insert(&stand_in.store, entries).await {
        Ok(()) => Json(json!({"success": true})).into_response(),
        Err(error) => {
            tracing::error!(error = %Chain(&error), "The stand-in could not store its messages.");
            refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The store failed.")
        }
    }
}

/// Returns whether Basic authentication has a user name, the write key.
fn authorized(headers: &HeaderMap) -> bool {
    let credentials = headers.get(header::AUTHORIZATION).and_then(|value| basic(value.as_bytes()));
    credentials.is_some_and(|credentials| matches!(credentials.as_deref(), Ok([first, ..]) if *first != b':'))
}
