//! Bodies on their way in: read whole, in time, and within the room that there is for all of them.

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

/// How long a request's body may take to arrive.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a large body may wait until it is its turn to be handled.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest small body, in bytes. There is always room for it: as many as there are connections.
const SMALL_BYTES: usize = 64 * 1024;

/// The room for what larger bodies have above that, all together, in bytes: four of the largest.
const BUDGET_BYTES: usize = 24 * 1024 * 1024;

/// A body that is refused is read up to so many times the largest one.
const MAX_IGNORED: usize = 4;

/// How many large bodies are handled at once. The values of one may take 64 MB ([`segment::json::MAX_MEMORY_BYTES`]).
const MAX_LARGE_AT_ONCE: usize = 4;

/// The room that is left, shared by all addresses.
#[derive(Clone)]
pub struct BodyBudget {
    /// In units of [`SMALL_BYTES`].
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

/// The limit of an address.
#[derive(Clone)]
pub struct Limit {
    /// The room for all.
    pub budget: BodyBudget,
    /// The largest body, in bytes.
    pub most: usize,
    /// The status and the sentence for a larger one.
    pub too_large: (StatusCode, &'static str),
}

/// Reads the body before the request goes on, and keeps its room until it is answered. A small body needed no room of others, so
/// nobody who sends large ones keeps it out.
pub async fn read(State(limit): State<Limit>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let read = timeout(DEADLINE, collect(body, length, &limit)).await.unwrap_or(Err(BodyError::TooSlow));
    let (bytes, _permits) = match read {
        Ok(read) => read,
        Err(error) => return error.response(&limit),
    };
    let _turn = match bytes.len() > SMALL_BYTES {
        true => match timeout(TURN_TIMEOUT, limit.budget.turns.clone().acquire_owned()).await {
            Ok(turn) => turn.ok(),
            Err(_) => return BodyError::OverBudget.response(&limit),
        },
        false => None,
    };
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

/// A request with the body that [`read`] has read.
pub async fn whole(request: Request) -> axum::http::Request<Bytes> {
    let (parts, body) = request.into_parts();
    // It is in memory already, so this neither waits nor fails.
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    Request::from_parts(parts, body)
}

/// Why a body was not read.
enum BodyError {
    TooLarge,
    TooSlow,
    OverBudget,
    /// The connection broke.
    Broken,
}

impl BodyError {
    /// The refusal. Where the whole body was not read, the connection ends with it, and the sender is told so.
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
                busy("Too many large bodies are on their way in. Send it again later.")
            }
        };
        if !matches!(self, Self::OverBudget) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The whole body, and the room that it takes.
async fn collect(
    body: Body,
    length: Option<usize>,
    limit: &Limit,
) -> Result<(Bytes, Vec<OwnedSemaphorePermit>), BodyError> {
    // All of the room at once where the length is known: bodies of which each has some would all come to nothing.
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
        // A refused body is read on for a while and thrown away: many senders hear no answer before they have sent all.
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
            bytes.extend_from_slice(&chunk);
        }
    }
    error.map_or(Ok((bytes.into(), permits)), Err)
}
