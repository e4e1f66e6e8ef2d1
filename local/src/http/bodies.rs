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
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest small body, in bytes. There is always room for it: as many as there are connections.
const SMALL_BYTES: usize = 64 * 1024;

/// The room for what larger bodies have above that, all together, in bytes: four of the largest.
const ROOM_BYTES: usize = 24 * 1024 * 1024;

/// A body that is refused is read up to so many times the largest one.
const MOST_IGNORED: usize = 4;

/// How many large bodies are handled at once. The values of one may take 64 MB ([`segment::json::MAX_MEMORY_BYTES`]).
const HANDLED: usize = 4;

/// The room that is left, shared by all addresses.
#[derive(Clone)]
pub struct Room {
    /// In units of [`SMALL_BYTES`].
    units: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    refused: Arc<Throttle>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            units: Arc::new(Semaphore::new(ROOM_BYTES / SMALL_BYTES)),
            turns: Arc::new(Semaphore::new(HANDLED)),
            refused: Arc::default(),
        }
    }
}

/// The limit of an address.
#[derive(Clone)]
pub struct Limit {
    /// The room for all.
    pub room: Room,
    /// The largest body, in bytes.
    pub most: usize,
    /// The status and the sentence for a larger one.
    pub too_large: (StatusCode, &'static str),
}

/// Reads the body before the request goes on, and keeps its room until it is answered. A small body needs no room of others, so
/// nobody who sends large ones keeps it out.
pub async fn read(State(limit): State<Limit>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let length = parts.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let read = timeout(DEADLINE, gather(body, length, &limit)).await.unwrap_or(Err(Unread::TooSlow));
    let (bytes, _room) = match read {
        Ok(read) => read,
        Err(unread) => return unread.response(&limit),
    };
    let _turn = match bytes.len() > SMALL_BYTES {
        true => match timeout(PATIENCE, limit.room.turns.clone().acquire_owned()).await {
            Ok(turn) => turn.ok(),
            Err(_) => return Unread::NoRoom.response(&limit),
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
enum Unread {
    TooLarge,
    TooSlow,
    NoRoom,
    /// The connection broke.
    Broken,
}

impl Unread {
    /// The refusal. Where the whole body was not read, the connection ends with it, and the sender is told so.
    fn response(&self, limit: &Limit) -> Response {
        let mut response = match self {
            Self::TooLarge => refusal(limit.too_large.0, "too_large", limit.too_large.1),
            Self::TooSlow => {
                refusal(StatusCode::REQUEST_TIMEOUT, "too_slow", "The body did not arrive within 10 s.")
            }
            Self::Broken => refusal(StatusCode::BAD_REQUEST, "malformed", "The body is broken."),
            Self::NoRoom => {
                limit.room.refused.say(|count| {
                    tracing::warn!(refused = %count, "Large bodies are refused: there are too many at once.");
                });
                busy("Too many large bodies are on their way in. Send it again later.")
            }
        };
        if !matches!(self, Self::NoRoom) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The whole body, and the room that it takes.
async fn gather(
    body: Body,
    length: Option<usize>,
    limit: &Limit,
) -> Result<(Bytes, Vec<OwnedSemaphorePermit>), Unread> {
    // All of the room at once where the length is known: bodies of which each has some would all come to nothing.
    let mut needs = length.unwrap_or(0);
    let (mut room, mut held) = (Vec::new(), SMALL_BYTES);
    let (mut bytes, mut read) = (Vec::new(), 0);
    let mut refused = None;
    let mut chunks = body.into_data_stream();
    loop {
        if needs > limit.most {
            refused = Some(Unread::TooLarge);
        } else if needs > held {
            let units = (needs - held).div_ceil(SMALL_BYTES);
            let permits = u32::try_from(units).unwrap_or(u32::MAX);
            match limit.room.units.clone().try_acquire_many_owned(permits) {
                Ok(permit) => room.push(permit),
                Err(_) => refused = Some(Unread::NoRoom),
            }
            held += units * SMALL_BYTES;
        }
        // A refused body is read on for a while and thrown away: many senders hear no answer before they have sent all.
        if refused.is_some() {
            (room, bytes) = (Vec::new(), Vec::new());
        }
        if read > MOST_IGNORED * limit.most {
            break;
        }
        let Some(chunk) = chunks.next().await else { break };
        let chunk = chunk.map_err(|_| Unread::Broken)?;
        read += chunk.len();
        needs = needs.max(read);
        if refused.is_none() {
            bytes.extend_from_slice(&chunk);
        }
    }
    refused.map_or(Ok((bytes.into(), room)), Err)
}
