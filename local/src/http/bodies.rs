//! Reads request bodies whole, within a deadline and a memory budget for all of them.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use futures_util::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::throttle::Throttle;
use crate::refusal::{busy, refusal};

/// The deadline for a body to arrive.
const DEADLINE: Duration = Duration::from_secs(10);

/// The longest wait of a large body for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest small body, in bytes. Small bodies need no budget: each connection has memory for one.
const SMALL_BYTES: usize = 64 * 1024;

/// The memory for the rest of all larger bodies together, in bytes: four of the largest.
const BUDGET_BYTES: usize = 24 * 1024 * 1024;

/// A refused body is read up to this many times the largest one.
const MAX_IGNORED: usize = 4;

/// The most large bodies handled at once. One can take 64 MB when parsed
/// ([`segment::json::MAX_MEMORY_BYTES`]).
const MAX_LARGE_AT_ONCE: usize = 4;

/// The memory for bodies, shared by all routes.
#[derive(Clone)]
pub struct BodyBudget {
    /// The free memory in units of [`SMALL_BYTES`].
    units: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    rejections: Arc<Throttle>,
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self {
            units: Arc::new(Semaphore::new(BUDGET_BYTES / SMALL_BYTES)),
            turns: Arc::new(Semaphore::new(MAX_LARGE_AT_ONCE)),
            rejections: Arc::default(),
        }
    }
}

/// The limit of a route.
#[derive(Clone)]
pub struct Limit {
    /// The shared memory.
    pub budget: BodyBudget,
    /// The largest body, in bytes.
    pub most: usize,
    /// The status and the message for a larger body.
    pub too_large: (StatusCode, &'static str),
}

/// The memory that a body has reserved. Keep it for as long as the body, or what was read from it, is in memory.
pub struct Reserved {
    _memory: Vec<OwnedSemaphorePermit>,
    _turn: Option<OwnedSemaphorePermit>,
}

/// Reads the body of a request. A small body needs no budget, so large bodies cannot block it. The error is the
/// refusal.
pub async fn read(
    request: Request,
    limit: &Limit,
) -> Result<(axum::http::Request<Bytes>, Reserved), Response> {
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let read = timeout(DEADLINE, collect(body, length, limit)).await.unwrap_or(Err(BodyError::TooSlow));
    let (bytes, memory) = read.map_err(|error| error.response(limit))?;
    let turn = match bytes.len() > SMALL_BYTES {
        true => match timeout(TURN_TIMEOUT, limit.budget.turns.clone().acquire_owned()).await {
            Ok(turn) => turn.ok(),
            Err(_) => return Err(BodyError::OverBudget.response(limit)),
        },
        false => None,
    };
    Ok((Request::from_parts(parts, bytes), Reserved { _memory: memory, _turn: turn }))
}

/// Reads the body before the request continues, as [`read`] does.
pub async fn bounded(State(limit): State<Limit>, request: Request, next: Next) -> Response {
    match read(request, &limit).await {
        Ok((request, _reserved)) => next.run(request.map(Body::from)).await,
        Err(refusal) => refusal,
    }
}

/// The reason why a body was not read.
enum BodyError {
    TooLarge,
    TooSlow,
    OverBudget,
    /// The connection broke.
    Broken,
}

impl BodyError {
    /// Returns the refusal. It closes the connection if the body was not read whole.
    fn response(&self, limit: &Limit) -> Response {
        let mut response = match self {
            Self::TooLarge => refusal(limit.too_large.0, "too_large", limit.too_large.1),
            Self::TooSlow => {
                refusal(StatusCode::REQUEST_TIMEOUT, "too_slow", "The body did not arrive within 10 s.")
            }
            Self::Broken => refusal(StatusCode::BAD_REQUEST, "malformed", "The body is broken."),
            Self::OverBudget => {
                limit.budget.rejections.log(|count| {
                    tracing::warn!(refused = %count, "Large bodies are refused: there are too many at once.");
                });
                busy("Too many large bodies at once. Send it again later.")
            }
        };
        if !matches!(self, Self::OverBudget) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Returns the whole body with its reserved memory.
async fn collect(
    body: Body,
    length: Option<usize>,
    limit: &Limit,
) -> Result<(Bytes, Vec<OwnedSemaphorePermit>), BodyError> {
    // Reserves all at once if the length is known: bodies with a part of their memory each could block one
    // another.
    let mut needed = length.unwrap_or(0);
    let (mut permits, mut reserved) = (Vec::new(), SMALL_BYTES);
    let (mut bytes, mut read) = (Vec::new(), 0);
    let mut error = None;
    let mut chunks = body.into_data_stream();
    loop {
        if needed > limit.most {
            error = Some(BodyError::TooLarge);
        } else if needed > reserved {
            let units = (needed - reserved).div_ceil(SMALL_BYTES);
            let count = u32::try_from(units).unwrap_or(u32::MAX);
            match limit.budget.units.clone().try_acquire_many_owned(count) {
                Ok(permit) => permits.push(permit),
                Err(_) => error = Some(BodyError::OverBudget),
            }
            reserved += units * SMALL_BYTES;
        }
        // A refused body is read for a while and discarded: many clients read no answer before they sent
        // everything.
        if error.is_some() {
            (permits, bytes) = (Vec::new(), Vec::new());
        }
        if read > MAX_IGNORED * limit.most {
            break;
        }
        let Some(chunk) = chunks.next().await else { break };
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        read += chunk.len();
        needed = needed.max(read);
        if error.is_none() {
            if length == Some(read) && bytes.is_empty() {
                // Most bodies arrive in one part, which needs no copy.
                return Ok((chunk, permits));
            }
            bytes.extend_from_slice(&chunk);
        }
    }
    error.map_or(Ok((bytes.into(), permits)), Err)
}
