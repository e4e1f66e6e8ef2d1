//! The JSON API of the queues, the dead-letter queues and the rejected queue.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse, Response},
};
use platform::{
    delivery_state::{ATTEMPTS, FAILED_AT, FAILURE, REASON, STATUS},
    sqlite::{DeadLetter, Removal},
};
use serde_json::{Map, Value, json};
use webhook_delivery::WEBHOOK;

use super::{ApiError, Debugger};
use crate::{
    journal::Summary,
    queues::{
        NamedQueue,
        dead_letters::{DeadLetterFilter, key, messages},
        rejected,
    },
};

/// The most messages of each queue in one answer.
const MAX_MESSAGES: u32 = 1_000;

/// Returns the depth of each queue and its newest dead letters, oldest first.
pub async fn queues(State(debugger): State<Debugger>) -> Result<Response, ApiError> {
    let mut states = Map::new();
    for named in debugger.queues.all() {
        let dead = named.queue.dead_letters(MAX_MESSAGES).await?.into_iter();
        let dead: Vec<Value> =
            dead.map(|letter| json!({"body": letter.body, "attributes": letter.attributes})).collect();
        states
            .insert(named.name.to_owned(), json!({"depth": named.queue.depth().await?, "deadLetters": dead}));
    }
    Ok(Json(states).into_response())
}

/// Returns the newest rejected messages, newest first.
pub async fn rejected(State(debugger): State<Debugger>) -> Result<Response, ApiError> {
    Ok(Json(rejected::newest(&debugger.rejected).await?).into_response())
}

/// Permanently removes all rejected messages.
pub async fn purge_rejected(State(debugger): State<Debugger>) -> Result<Response, ApiError> {
    Ok(Json(rejected::purge(&debugger.rejected).await?).into_response())
}

/// Returns the newest dead letters of all queues, newest first.
pub async fn dead_letters(State(debugger): State<Debugger>) -> Result<Response, ApiError> {
    let (mut total, mut letters) = (0, Vec::new());
    for named in debugger.queues.all() {
        total += named.queue.dead_letter_depth().await?;
        let newest = named.queue.dead_letters(MAX_MESSAGES).await?;
        letters.extend(newest.iter().map(|letter| as_json(&debugger, &named, letter)));
    }
    let failed_at = |letter: &Value| letter["failedAt"].as_str().map(str::to_owned);
    letters.sort_by_key(|letter| std::cmp::Reverse(failed_at(letter)));
    letters.truncate(MAX_MESSAGES as usize);
    Ok(Json(json!({"total": total, "deadLetters": letters})).into_response())
}

/// Puts dead letters back into their queues.
pub async fn redrive(
    State(debugger): State<Debugger>,
    filter: Result<Json<DeadLetterFilter>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(filter) = filter?;
    Ok(Json(filter.take_out(&debugger.queues, Some(&debugger.journal), Removal::Redrive).await?)
        .into_response())
}

/// Permanently removes dead letters.
pub async fn purge(
    State(debugger): State<Debugger>,
    filter: Result<Json<DeadLetterFilter>, JsonRejection>,
) -> Result<Response, ApiError> {
    let Json(filter) = filter?;
    Ok(Json(filter.take_out(&debugger.queues, Some(&debugger.journal), Removal::Purge).await?)
        .into_response())
}

fn as_json(debugger: &Debugger, named: &NamedQueue, letter: &DeadLetter) -> Value {
    let messages = messages(&letter.body);
    let ids: Vec<&str> = messages.iter().filter_map(|message| message["messageId"].as_str()).collect();
    // The first message stands for a batch.
    let first = messages.first().map(ToString::to_string).unwrap_or_default();
    let summary = Summary::of(&first);
    let attribute = |name: &str| letter.attributes.get(name);
    let number = |name: &str| attribute(name).and_then(|text| text.parse::<u32>().ok());
    json!({
        "key": key(named.name, letter),
        "queue": named.name,
        "destination": attribute(WEBHOOK).map_or(debugger.journal.label(named.label), String::as_str),
        "webhook": attribute(WEBHOOK),
        "messageIds": ids,
        "type": summary.message_type,
        "user": summary.user,
        "event": summary.event,
        "failure": attribute(FAILURE),
        "reason": attribute(REASON),
        "status": number(STATUS),
        "attempts": number(ATTEMPTS),
        "failedAt": attribute(FAILED_AT),
        "body": letter.body,
        "row": ids.first().and_then(|id| debugger.journal.item_of(id)),
    })
}
