//! What is in the store, whatever the page still knows of it.

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use segment::json;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Debugger, Failed};
use crate::{http::refusal::refusal, stand_in::Entry};

/// The most messages in one answer, and how many are in one that was not asked for more.
const MOST: u32 = 1_000;

#[derive(Deserialize)]
pub struct Limit {
    limit: Option<u32>,
}

/// What the stand-in received, newest first.
pub async fn received_by_stand_in(
    State(debugger): State<Debugger>,
    Query(query): Query<Limit>,
) -> Result<Response, Failed> {
    let Some(stand_in) = &debugger.stand_in else {
        let message = "There is no stand-in: messages go to the real Segment, whose debugger shows them.";
        return Ok(refusal(StatusCode::NOT_FOUND, "not_found", message));
    };
    let entries = stand_in.newest(query.limit.unwrap_or(MOST).min(MOST)).await?;
    let messages: Vec<Value> = entries.into_iter().map(as_json).collect();
    Ok(Json(json!({ "messages": messages })).into_response())
}

fn as_json(entry: Entry) -> Value {
    let message: Value = json::parse(entry.message.as_bytes()).unwrap_or_default();
    match entry.dropped {
        None => json!({"receivedAt": entry.received_at, "message": message}),
        Some(reason) => json!({"receivedAt": entry.received_at, "message": message, "dropped": reason}),
    }
}

/// How long each queue is, with its newest dead letters, oldest of these first.
pub async fn queues(State(debugger): State<Debugger>) -> Result<Response, Failed> {
    let mut states = Map::new();
    for named in debugger.queues.all() {
        let dead = named.queue.dead_letters(MOST).await?.into_iter();
        let dead: Vec<Value> =
            dead.map(|letter| json!({"body": letter.body, "attributes": letter.attributes})).collect();
        states
            .insert(named.name.to_owned(), json!({"depth": named.queue.depth().await?, "deadLetters": dead}));
    }
    Ok(Json(states).into_response())
}
