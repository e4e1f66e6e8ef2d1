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
    numbers::{NUMBERS, numbers},
};
use crate::refusal::refusal;

/// The most rows in one event.
const ROWS: usize = 500;

/// The pause between two events with rows: however much comes in, the page is to stay quick.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a change is waited for to be followed by those that belong to it: a message is stored a moment before it is
/// known which rule made it.
const SETTLE: Duration = Duration::from_millis(20);

/// How many events may wait for a client that reads slowly, and for how long.
const WAITING: usize = 2;
const PATIENCE: Duration = Duration::from_secs(30);

/// The most who follow the list at once.
pub const VIEWERS: usize = 50;

/// All rows that are kept, newest first, then each change; and the numbers once a second.
pub async fn live(State(debugger): State<Debugger>) -> Response {
    let Ok(viewer) = debugger.viewers.clone().try_acquire_owned() else {
        let message = "Too many follow the list already. Close a page that nobody looks at.";
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too_many", message);
    };
    let (events, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        // It ends when the client is gone or does not read, or when the process stops.
        let _ = tell(&debugger, &events).await;
    });
    let body = Body::from_stream(stream::unfold((receiver, viewer), |(mut receiver, viewer)| async {
        // The place is free again when the connection is.
        receiver
            .recv()
            .await
            .map(|event: Bytes| (Ok::<_, std::convert::Infallible>(event), (receiver, viewer)))
    }));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

/// The client is gone, or the process stops.
struct Gone;

async fn tell(debugger: &Debugger, events: &mpsc::Sender<Bytes>) -> Result<(), Gone> {
    let journal = &debugger.journal;
    let (mut stop, mut changes) = (debugger.stop.clone(), journal.subscribe());
    send(events, "reset", &json!({})).await?;
    let mut revision = journal.revision();
    let mut before = u64::MAX;
    loop {
        let (rows, last) = journal.older_than(before, ROWS);
        if rows.is_empty() {
            break;
        }
        send(events, "rows", &rows.into()).await?;
        before = last;
    }
    send(events, "synced", &json!({})).await?;
    let mut tick = interval_at(Instant::now(), NUMBERS);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stop.changed() => return Err(Gone),
            _ = tick.tick() => {
                // A store that fails has been logged; the next second may be better.
                if let Ok(numbers) = numbers(debugger).await {
                    send(events, "numbers", &numbers).await?;
                }
            }
            _ = changes.changed() => {
                pause(SETTLE, &mut stop).await?;
                changes.mark_unchanged();
                let (rows, last) = journal.changed_after(revision, ROWS);
                revision = last;
                if rows.len() == ROWS {
                    // There may be more.
                    changes.mark_changed();
                }
                if !rows.is_empty() {
                    send(events, "rows", &rows.into()).await?;
                }
                pause(PAUSE, &mut stop).await?;
            }
        }
    }
}

async fn pause(time: Duration, stop: &mut watch::Receiver<bool>) -> Result<(), Gone> {
    tokio::select! {
        () = sleep(time) => Ok(()),
        _ = stop.changed() => Err(Gone),
    }
}

async fn send(events: &mpsc::Sender<Bytes>, name: &str, data: &Value) -> Result<(), Gone> {
    // JSON has no line ends in it.
    let event = format!("event: {name}\ndata: {data}\n\n").into();
    timeout(PATIENCE, events.send(event)).await.map_or(Err(Gone), |sent| sent.map_err(|_| Gone))
}
