//! Reads requests as Segment does: 400 if a request is too large or not JSON, else 200, even for messages
//! that it silently drops. The page shows the reason (Segment HTTP API docs, "Errors").

use std::{borrow::Cow, io::Read};

use flate2::read::GzDecoder;
use jiff::Timestamp;
use segment::{
    MAX_BATCH_MESSAGES, MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, Message, MessageType,
    json::{self, JsonError},
    timestamp,
};
use serde_json::{Map, Value};

use super::store::ReceivedMessage;

/// The content of a request.
pub struct Intake {
    pub entries: Vec<ReceivedMessage>,
    /// Whether a write key was in the body.
    pub write_key: bool,
}

/// The reason for an error answer.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    #[error("there is no such call")]
    NoSuchCall,
    #[error("the request is larger than 500 KB")]
    TooLarge,
    #[error("the body is not gzip")]
    NotGzip,
    #[error("a message is larger than 32 KB")]
    MessageTooLarge,
    #[error("batch is missing or not a list of objects")]
    NoBatch,
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// Reads a request to `call`.
pub fn read(call: &str, body: &[u8], gzip: bool, now: Timestamp) -> Result<Intake, IntakeError> {
    let (body, faults) = json::parse_items(&decompress(body, gzip)?, &["batch"], usize::MAX)?;
    let Value::Object(mut object) = body else { return Err(JsonError::NotAnObject.into()) };
    if let Some(fault) = faults.into_iter().next() {
        return Err(JsonError::Refused(fault).into());
    }
    let write_key = object.remove("writeKey").is_some();
    let received_at = timestamp::format(now);
    let messages = match call {
        "batch" | "import" | "b" => match object.remove("batch") {
            Some(Value::Array(messages)) => {
                messages.into_iter().map(into_object).collect::<Result<Vec<_>, _>>()?
            }
            _ => return Err(IntakeError::NoBatch),
        },
        _ => {
            let message_type: MessageType = call.parse().map_err(|()| IntakeError::NoSuchCall)?;
            if message_type == MessageType::Delete {
                return Err(IntakeError::NoSuchCall);
            }
            object.entry("type").or_insert_with(|| message_type.as_str().into());
            vec![object]
        }
    };
    let too_many = messages.len() > MAX_BATCH_MESSAGES;
    let entry = |message: Map<String, Value>| {
        let text = json::encode(&message);
        if text.len() > MAX_MESSAGE_BYTES + SENT_AT_BYTES {
            return Err(IntakeError::MessageTooLarge);
        }
        let message_id = message.get("messageId").and_then(Value::as_str).map(str::to_owned);
        let dropped = match Message::from_object(message) {
            _ if too_many => Some("the batch has more than 2,500 messages".to_owned()),
            Ok(message) if message.message_type() == MessageType::Delete => {
                Some("there is no delete call".to_owned())
            }
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        Ok(ReceivedMessage {
            received_at: received_at.clone(),
            message_id,
            message: text,
            dropped,
            source: None,
        })
    };
    Ok(Intake { entries: messages.into_iter().map(entry).collect::<Result<_, _>>()?, write_key })
}

/// The bytes that a single call adds to a message of the largest size.
const SENT_AT_BYTES: usize = r#","sentAt":"2026-11-21T04:00:00.000Z""#.len();

fn into_object(value: Value) -> Result<Map<String, Value>, IntakeError> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(IntakeError::NoBatch),
    }
}

fn decompress(body: &[u8], gzip: bool) -> Result<Cow<'_, [u8]>, IntakeError> {
    if !gzip {
        return Ok(Cow::Borrowed(body));
    }
    let mut text = Vec::new();
    let most = MAX_REQUEST_BYTES as u64;
    GzDecoder::new(body).take(most + 1).read_to_end(&mut text).map_err(|_| IntakeError::NotGzip)?;
    if text.len() > MAX_REQUEST_BYTES { Err(IntakeError::TooLarge) } else { Ok(Cow::Owned(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drops(call: &str, body: &str) -> Result<Vec<Option<String>>, String> {
        let intake =
            read(call, body.as_bytes(), false, Timestamp::UNIX_EPOCH).map_err(|error| error.to_string())?;
        Ok(intake.entries.into_iter().map(|entry| entry.dropped).collect())
    }

    #[test]
    fn a_silently_dropped_message_is_kept_with_the_reason() {
        let good = r#"{"type":"track","userId":"u","event":"e"}"#;
        let bad = r#"{"type":"track","userId":"u"}"#;
        assert_eq!(
            drops("batch", &format!(r#"{{"batch":[{good},{bad}]}}"#)),
            Ok(vec![None, Some("event: is missing".to_owned())])
        );
        assert_eq!(drops("track", r#"{"userId":"u","event":"e"}"#), Ok(vec![None]));
        let many = vec![good; 2_501].join(",");
        let dropped = drops("batch", &format!(r#"{{"batch":[{many}]}}"#)).unwrap();
        assert!(dropped.iter().all(Option::is_some));
    }

    #[test]
    fn a_request_that_segment_answers_with_400_is_refused() {
        let large = format!(r#"{{"userId":"u","name":"{}"}}"#, "x".repeat(40_000));
        for (call, body, expected) in [
            ("batch", "{}", "batch is missing or not a list of objects"),
            ("batch", r#"{"batch":[1]}"#, "batch is missing or not a list of objects"),
            ("page", "nonsense", "the body is not JSON: there is a syntax error at line 1 column 2"),
            ("page", large.as_str(), "a message is larger than 32 KB"),
            ("delete", r#"{"userId":"u"}"#, "there is no such call"),
            ("buy", r#"{"userId":"u"}"#, "there is no such call"),
        ] {
            assert_eq!(drops(call, body), Err(expected.to_owned()), "{call}");
        }
    }
}
