//! The bad messages of a request, as they were received.

use jiff::Timestamp;
use platform::rejected::RejectedMessage;
use segment::{MAX_MESSAGE_BYTES, json};

use crate::response::Invalid;

/// The most bad messages of a request that are kept. The others are only counted.
const MOST: usize = 100;

/// Returns the bad messages of a batch that are kept.
pub(crate) fn to_keep(invalid: &[Invalid], is_known: impl Fn(&Invalid) -> bool) -> Vec<&Invalid> {
    invalid.iter().take(MOST).filter(|one| !is_known(one)).collect()
}

/// Returns the messages of a batch, as they were received.
pub(crate) fn messages(body: &[u8], invalid: &[&Invalid], received_at: Timestamp) -> Vec<RejectedMessage> {
    let body = String::from_utf8_lossy(body);
    // If there are two members of that name, the last one counts.
    let Some((_, batch)) = json::members(&body).filter(|(name, _)| name == "batch").last() else {
        return Vec::new();
    };
    let mut items = json::items(batch).enumerate();
    let kept = invalid.iter().filter_map(|one| {
        let (_, text) = items.find(|(index, _)| *index == one.index)?;
        Some(RejectedMessage {
            text: truncated(without_write_key(text)),
            field: one.field.to_owned(),
            problem: one.problem.clone(),
            write_key: one.write_key.clone().unwrap_or_default(),
            received_at,
        })
    });
    kept.collect()
}

/// Returns a message without its write key, which people must not see.
fn without_write_key(text: &str) -> String {
    if !text.starts_with('{') || json::members(text).all(|(name, _)| name != "writeKey") {
        return text.to_owned();
    }
    let members = json::members(text).filter(|(name, _)| name != "writeKey");
    let members = members.map(|(name, value)| format!("{}:{value}", serde_json::Value::String(name)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn truncated(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES));
    text
}
