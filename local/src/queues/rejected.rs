//! The rejected queue, as JSON for the page and for `segue rejected`.

use platform::sqlite::{SqliteRejectedQueue, StoreError};
use segment::timestamp;
use serde_json::{Value, json};

/// The most messages in one answer.
const MAX_MESSAGES: u32 = 1_000;

/// Returns the newest messages with their text, and the total.
pub async fn newest(queue: &SqliteRejectedQueue) -> Result<Value, StoreError> {
    let messages = queue.newest(MAX_MESSAGES).await?.into_iter().map(|message| {
        json!({
            "receivedAt": timestamp::format(message.received_at),
            "writeKey": message.write_key,
            "field": message.field,
            "problem": message.problem,
            "message": message.text,
        })
    });
    Ok(json!({"messages": messages.collect::<Vec<Value>>(), "total": queue.depth().await?}))
}

/// Permanently removes all messages, and returns their number.
pub async fn purge(queue: &SqliteRejectedQueue) -> Result<Value, StoreError> {
    Ok(json!({"purged": queue.purge().await?}))
}
