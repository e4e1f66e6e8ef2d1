//! The dead-letter queues: what is in them, and how it leaves.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    response::{IntoResponse, Response},
};
use platform::{
    embedded::DeadLetter,
    history::{ATTEMPTS, FAILED_AT, FAILURE, REASON, STATUS},
};
use serde_json::{Value, json};
use webhook_delivery::WEBHOOK;

use super::{Debugger, Failed, malformed};
use crate::{
    journal::Head,
    queues::{
        Named,
        dead_letters::{Choice, key, messages},
    },
};

/// The most of each queue in one answer.
const MOST: u32 = 1_000;

/// The newest of all queues, newest first.
pub async fn list(State(debugger): State<Debugger>) -> Result<Response, Failed> {
    let (mut total, mut letters) = (0, Vec::new());
    for named in debugger.queues.all() {
        total += named.queue.dead_letter_depth().await?;
        let newest = named.queue.dead_letters(MOST).await?;
        letters.extend(newest.iter().map(|letter| as_json(&debugger, &named, letter)));
    }
    let failed_at = |letter: &Value| letter["failedAt"].as_str().map(str::to_owned);
    letters.sort_by_key(|letter| std::cmp::Reverse(failed_at(letter)));
    letters.truncate(MOST as usize);
    Ok(Json(json!({"total": total, "deadLetters": letters})).into_response())
}

/// Puts some back.
pub async fn redrive(
    State(debugger): State<Debugger>,
    choice: Result<Json<Choice>, JsonRejection>,
) -> Result<Response, Failed> {
    match choice {
        Ok(Json(choice)) => {
            Ok(Json(choice.redrive(&debugger.queues, Some(&debugger.journal)).await?).into_response())
        }
        Err(error) => Ok(malformed(&error)),
    }
}

/// Removes some for good.
pub async fn purge(
    State(debugger): State<Debugger>,
    choice: Result<Json<Choice>, JsonRejection>,
) -> Result<Response, Failed> {
    match choice {
        Ok(Json(choice)) => {
            Ok(Json(choice.purge(&debugger.queues, &debugger.journal).await?).into_response())
        }
        Err(error) => Ok(malformed(&error)),
    }
}

fn as_json(debugger: &Debugger, named: &Named, letter: &DeadLetter) -> Value {
    let messages = messages(&letter.body);
    let ids: Vec<&str> = messages.iter().filter_map(|message| message["messageId"].as_str()).collect();
    // Of a batch, its first message stands for all.
    let first = messages.first().map(ToString::to_string).unwrap_or_default();
    let head = Head::of(&first);
    let attribute = |name: &str| letter.attributes.get(name);
    let number = |name: &str| attribute(name).and_then(|text| text.parse::<u32>().ok());
    json!({
        "key": key(named.name, letter),
        "queue": named.name,
        "destination": attribute(WEBHOOK).map_or(debugger.journal.label(named.label), String::as_str),
        "webhook": attribute(WEBHOOK),
        "messageIds": ids,
        "type": head.message_type,
        "user": head.user,
        "event": head.event,
        "failure": attribute(FAILURE),
        "reason": attribute(REASON),
        "status": number(STATUS),
        "attempts": number(ATTEMPTS),
        "failedAt": attribute(FAILED_AT),
        "body": letter.body,
        "row": ids.first().and_then(|id| debugger.journal.item_of(id)),
    })
}
