//! The live list, as server-sent events.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};

use super::{
    Debugger,
    numbers::{NUMBERS_INTERVAL, numbers},
};
use crate::refusal::refusal;

/// The most rows in one event.
const MAX_ROWS: usize = 500;

/// The shortest time between two events with rows, which keeps the page fast under load.
const MIN_INTERVAL: Duration = Duration::from_millis(200);

/// The wait after a change for related changes. A message is stored just before its mapping rule is known.
const SETTLE: Duration = Duration::from_millis(20);

/// The most events that wait for a slow client.
const MAX_WAITING_EVENTS: usize = 2;

/// The longest time that an event waits for a slow client.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// The most viewers of the live list at once.
pub const MAX_VIEWERS: usize = 50;

/// Streams all rows, newest first, then each change, and the numbers once a second.
pub async fn live(State(debugger): State<Debugger>) -> Response {
    let Ok(permit) = debugger.viewers.clone().try_acquire_owned() else {
        let message = "Too many pages follow the list already. Close one of them.";
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too_many", message);
    };
    let (events, receiver) = mpsc::channel(MAX_WAITING_EVENTS);
    tokio::spawn(async move {
        // It ends when the client disconnects or stops reading, or when the process stops.
        let _ = stream_events(&debugger, &events).await;
    });
    let body = Body::from_stream(stream::unfold((receiver, permit), |(mut receiver, permit)| async {
        // The permit lives as long as the connection.
        receiver
            .recv()
            .await
            .map(|event: Bytes| (Ok::<_, std::convert::Infallible>(event), (receiver, permit)))
    }));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// The client disconnected, or the process stops.
struct Disconnected;

async fn stream_events(debugger: &Debugger, events: &mpsc::Sender<Bytes>) -> Result<(), Disconnected> {
    let journal = &debugger.journal;
    let (mut stop, mut changes) = (debugger.stop.clone(), journal.subscribe());
    send(events, "reset", &json!({})).await?;
    let mut revision = journal.revision();
    let mut before = u64::MAX;
    loop {
        let (rows, last) = journal.older_than(before, MAX_ROWS);
        if rows.is_empty() {
            break;
        }
        send(events, "rows", &rows.into()).await?;
        before = last;
    }
    send(events, "synced", &json!({})).await?;
    let mut tick = interval_at(Instant::now(), NUMBERS_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.changed() => return Err(Disconnected),
            _ = tick.tick() => {
                // The error is logged. The next second may succeed.
                if let Ok(numbers) = numbers(debugger).await {
                    send(events, "numbers", &numbers).await?;
                }
            }
            _ = changes.changed() => {
                pause(SETTLE, &mut stop).await?;
                changes.mark_unchanged();
                let (rows, last) = journal.changed_after(revision, MAX_ROWS);
                revision = last;
                if rows.len() == MAX_ROWS {
                    // There may be more.
                    changes.mark_changed();
                }
                if !rows.is_empty() {
                    send(events, "rows", &rows.into()).await?;
                }
                pause(MIN_INTERVAL, &mut stop).await?;
            }
        }
    }
}

async fn pause(time: Duration, stop: &mut watch::Receiver<bool>) -> Result<(), Disconnected> {
    tokio::select! {
        () = sleep(time) => Ok(()),
        _ = stop.changed() => Err(Disconnected),
    }
}

async fn send(events: &mpsc::Sender<Bytes>, name: &str, data: &Value) -> Result<(), Disconnected> {
    // The JSON contains no line breaks.
    let event = format!("event: {name}\ndata: {data}\n\n").into();
    timeout(SEND_TIMEOUT, events.send(event))
        .await
        .map_or(Err(Disconnected), |sent| sent.map_err(|_| Disconnected))
}
