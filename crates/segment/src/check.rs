//! The rules for messages. Segment answers 200 to many messages that it then drops, so every message is
//! checked first.

use serde_json::{Map, Value};

use crate::{MessageType, timestamp};

/// The largest message, in bytes as encoded (Segment HTTP API docs, "Max request size"; counted as in
/// Segment's Node library).
pub const MAX_MESSAGE_BYTES: usize = 32 * 1024;

/// The longest `messageId`. Segment's pages say both "limited to 100" and "fewer than 100" characters.
pub const MAX_MESSAGE_ID_CHARACTERS: usize = 99;

/// The fields that Segment's HTTP API sets on each message that it receives (Segment spec, "Common fields").
/// A server that takes messages in Segment's place sets them for other destinations. They do not count
/// towards [`MAX_MESSAGE_BYTES`] and are not sent to Segment, which sets its own. The exception is a
/// `channel` other than `server`: it is sent, because Segment could not know it.
pub const SET_ON_RECEIPT: [&str; 5] = ["receivedAt", "sentAt", "originalTimestamp", "version", "channel"];

/// The most bytes that those fields can take, with their commas. A sender may set them too, and must not use
/// them to exceed the limit.
const SET_ON_RECEIPT_BYTES: usize = concat!(
    r#","receivedAt":"2026-11-21T04:00:00.000Z","sentAt":"2026-11-21T04:00:00.000Z""#,
    r#","originalTimestamp":"2026-11-21T04:00:00.000Z","version":1,"channel":"browser""#
)
.len();

/// A rule of the spec that a message breaks. The error names the field and never quotes its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct InvalidMessage {
    /// The field, such as `traits` or `userId`.
    pub path: &'static str,
    /// The problem, and the expected value.
    pub problem: Problem,
}

/// A problem of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A required field of this message type is missing.
    #[error("is missing")]
    Missing,
    /// The message has neither a user id nor an anonymous id.
    #[error("is missing, and so is anonymousId; one of them is needed")]
    NoUser,
    /// A text field is empty or blank.
    #[error("must not be empty")]
    Empty,
    /// The value is not a string.
    #[error("must be a string")]
    NotText,
    /// The value is not an object.
    #[error("must be an object")]
    NotAnObject,
    /// The message type is unknown.
    #[error("must be identify, track, page, screen, group, alias or delete")]
    UnknownType,
    /// The value is not a time.
    #[error("must be an ISO 8601 time or epoch milliseconds")]
    NotATime,
    /// The message id is too long.
    #[error("must have at most 99 characters")]
    TooLong,
    /// The whole message is too large.
    #[error("is larger than 32 KB as JSON")]
    TooLarge,
}

/// The ids of a message. Libraries pass on the value that their caller gave: a number, or an empty text for
/// no id.
const IDS: [&str; 5] = ["userId", "anonymousId", "groupId", "previousId", "messageId"];

/// The times of a message.
const TIMES: [&str; 4] = ["timestamp", "originalTimestamp", "sentAt", "receivedAt"];

/// The objects of a message.
const OBJECTS: [&str; 4] = ["traits", "properties", "context", "integrations"];

/// Corrects values that a library meant in another way. An empty id or time is removed. A numeric id becomes
/// text with the same digits. An empty list, an empty text or `false` in the place of an object becomes an
/// empty object.
pub fn tidy(object: &mut Map<String, Value>) {
    tidied(object);
}

/// Does [`tidy`]. Returns whether it corrected anything.
fn tidied(object: &mut Map<String, Value>) -> bool {
    let mut corrected = false;
    for field in OBJECTS {
        if let Some(value) = object.get_mut(field)
            && means_empty_object(value)
        {
            *value = Value::Object(Map::new());
            corrected = true;
        }
    }
    for field in IDS.iter().chain(&TIMES) {
        match object.get_mut(*field) {
            Some(Value::String(text)) if !is_blank(text) => {}
            // PHP and Ruby libraries send false for no id.
            Some(Value::String(_) | Value::Bool(false)) => {
                // A plain `remove` would move the last field to its place.
                object.shift_remove(*field);
                corrected = true;
            }
            Some(value @ Value::Number(_)) if IDS.contains(field) => {
                *value = Value::String(value.to_string());
                corrected = true;
            }
            _ => {}
        }
    }
    corrected
}

/// Whether this is the value that PHP and Ruby libraries send for an empty object.
pub fn means_empty_object(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        value => *value == Value::Bool(false),
    }
}

/// Whether a text shows nothing. All users whose id is an invisible character would become one user.
fn is_blank(text: &str) -> bool {
    let is_invisible = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{2800}' | '\u{3164}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
    };
    text.chars().all(is_invisible)
}

/// Checks `object`, corrects it with [`tidy`] and writes its timestamps in one form. Returns its type, and whether it
/// was corrected.
pub(crate) fn check(object: &mut Map<String, Value>) -> Result<(MessageType, bool), InvalidMessage> {
    let mut corrected = tidied(object);
    let message_type = match object.get("type") {
        None => return Err(invalid("type", Problem::Missing)),
        Some(value) => {
            value.as_str().and_then(|name| name.parse().ok()).ok_or(invalid("type", Problem::UnknownType))?
        }
    };
    check_ids(object, message_type)?;
    for path in OBJECTS {
        match object.get(path) {
            None | Some(Value::Object(_) | Value::Null) => {}
            Some(_) => return Err(invalid(path, Problem::NotAnObject)),
        }
    }
    for path in TIMES {
        let Some(value) = object.get_mut(path).filter(|value| !value.is_null()) else { continue };
        match timestamp::parse(value) {
            Some(time) => {
                let time = Value::String(timestamp::format(time));
                corrected |= *value != time;
                *value = time;
            }
            // Another time is used in its place, and this one is kept as received.
            None if path == "originalTimestamp" => {}
            None => return Err(invalid(path, Problem::NotATime)),
        }
    }
    Ok((message_type, corrected))
}

fn check_ids(object: &Map<String, Value>, message_type: MessageType) -> Result<(), InvalidMessage> {
    let mut user_known = false;
    for path in ["userId", "anonymousId"] {
        user_known |= optional_text(object, path)?.is_some();
    }
    let required: &[&'static str] = match message_type {
        MessageType::Track => &["event"],
        MessageType::Group => &["groupId"],
        MessageType::Alias => &["previousId", "userId"],
        _ => &[],
    };
    for path in required {
        match optional_text(object, path)? {
            None => return Err(invalid(path, Problem::Missing)),
            Some(text) if is_blank(text) => return Err(invalid(path, Problem::Empty)),
            Some(_) => {}
        }
    }
    if !user_known {
        return Err(invalid("userId", Problem::NoUser));
    }
    match optional_text(object, "messageId")? {
        Some(id) if id.chars().count() > MAX_MESSAGE_ID_CHARACTERS => {
            Err(invalid("messageId", Problem::TooLong))
        }
        _ => Ok(()),
    }
}

/// Returns a text field that may be absent or null.
fn optional_text<'a>(
    object: &'a Map<String, Value>,
    path: &'static str,
) -> Result<Option<&'a str>, InvalidMessage> {
    match object.get(path) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(path, Problem::NotText)),
    }
}

/// Checks the size of `object`, which takes `encoded_bytes` as JSON. Looks for uncounted fields only if they
/// matter.
pub(crate) fn check_size(object: &Map<String, Value>, encoded_bytes: usize) -> Result<(), InvalidMessage> {
    if encoded_bytes > MAX_MESSAGE_BYTES && encoded_bytes - uncounted_bytes(object) > MAX_MESSAGE_BYTES {
        return Err(invalid("message", Problem::TooLarge));
    }
    Ok(())
}

/// Returns the number of bytes that [`SET_ON_RECEIPT`] takes in the encoded object.
fn uncounted_bytes(object: &Map<String, Value>) -> usize {
    let fields = SET_ON_RECEIPT.iter().filter_map(|field| Some((field, object.get(*field)?)));
    // Two quotes, a colon and a comma.
    let bytes = fields.map(|(field, value)| field.len() + value.to_string().len() + 4).sum();
    SET_ON_RECEIPT_BYTES.min(bytes)
}

fn invalid(path: &'static str, problem: Problem) -> InvalidMessage {
    InvalidMessage { path, problem }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Message;

    fn error(value: serde_json::Value) -> Option<String> {
        let serde_json::Value::Object(object) = value else { panic!("an object") };
        Message::from_object(object).err().map(|error| error.to_string())
    }

    #[test]
    fn every_type_passes_with_its_required_fields() {
        for value in [
            json!({"type": "identify", "userId": "u", "traits": {"plan": "pro"}}),
            json!({"type": "identify", "anonymousId": "a", "traits": null}),
            json!({"type": "track", "userId": "u", "event": "Signed In"}),
            json!({"type": "page", "anonymousId": "a"}),
            json!({"type": "screen", "userId": "u", "name": "Home"}),
            json!({"type": "group", "userId": "u", "groupId": "g"}),
            json!({"type": "alias", "userId": "u", "previousId": "p"}),
            json!({"type": "delete", "userId": "u"}),
        ] {
            assert_eq!(error(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn each_broken_rule_is_named_with_its_field() {
        let id = "x".repeat(100);
        for (value, expected) in [
            (json!({}), "type: is missing"),
            (
                json!({"type": "buy", "userId": "u"}),
                "type: must be identify, track, page, screen, group, alias or delete",
            ),
            (json!({"type": "identify"}), "userId: is missing, and so is anonymousId; one of them is needed"),
            (
                json!({"type": "identify", "userId": "", "anonymousId": " "}),
                "userId: is missing, and so is anonymousId; one of them is needed",
            ),
            (json!({"type": "identify", "userId": true}), "userId: must be a string"),
            (json!({"type": "track", "userId": "u", "event": "\u{200b}"}), "event: must not be empty"),
            (json!({"type": "identify", "userId": "u", "anonymousId": {}}), "anonymousId: must be a string"),
            (json!({"type": "group", "userId": "u", "groupId": ""}), "groupId: is missing"),
            (json!({"type": "alias", "userId": "u", "previousId": " "}), "previousId: is missing"),
            (json!({"type": "track", "userId": "u"}), "event: is missing"),
            (json!({"type": "track", "userId": "u", "event": ""}), "event: must not be empty"),
            (json!({"type": "group", "userId": "u"}), "groupId: is missing"),
            (json!({"type": "alias", "userId": "u"}), "previousId: is missing"),
            (json!({"type": "alias", "anonymousId": "a", "previousId": "p"}), "userId: is missing"),
            (json!({"type": "identify", "userId": "u", "traits": [1]}), "traits: must be an object"),
            (
                json!({"type": "track", "userId": "u", "event": "e", "properties": 1}),
                "properties: must be an object",
            ),
            (json!({"type": "page", "userId": "u", "context": "c"}), "context: must be an object"),
            (json!({"type": "page", "userId": "u", "integrations": true}), "integrations: must be an object"),
            (
                json!({"type": "page", "userId": "u", "timestamp": "soon"}),
                "timestamp: must be an ISO 8601 time or epoch milliseconds",
            ),
            (
                json!({"type": "page", "userId": "u", "messageId": id}),
                "messageId: must have at most 99 characters",
            ),
            (
                json!({"type": "page", "userId": "u", "x": "y".repeat(32 * 1024)}),
                "message: is larger than 32 KB as JSON",
            ),
        ] {
            assert_eq!(error(value).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_message_becomes_the_one_that_its_library_meant() {
        for (given, expected) in [
            (r#""userId":42,"groupId":12"#, r#""userId":"42","groupId":"12""#),
            (r#""anonymousId":1.0,"previousId":1e3"#, r#""anonymousId":"1.0","previousId":"1e+3""#),
            (
                r#""userId":12345678901234567890,"messageId":-0"#,
                r#""userId":"12345678901234567890","messageId":"-0""#,
            ),
            (r#""userId":"","anonymousId":"a","x":1"#, r#""anonymousId":"a","x":1"#),
            (r#""anonymousId":" ","userId":"u","groupId":"""#, r#""userId":"u""#),
            (r#""messageId":"","timestamp":"","userId":"u","sentAt":" ""#, r#""userId":"u""#),
            (
                r#""userId":"u","messageId":null,"timestamp":null"#,
                r#""userId":"u","messageId":null,"timestamp":null"#,
            ),
            (r#""userId":" u ""#, r#""userId":" u ""#),
            (r#""userId":"u","anonymousId":false,"sentAt":false"#, r#""userId":"u""#),
            (
                r#""userId":"\u0000","anonymousId":"a","messageId":"\ufeff\u200b\u034f\u00a0""#,
                r#""anonymousId":"a""#,
            ),
            (r#""userId":"a\u0000b""#, r#""userId":"a\u0000b""#),
            (
                r#""userId":"u","traits":[],"context":false,"integrations":"""#,
                r#""userId":"u","traits":{},"context":{},"integrations":{}"#,
            ),
        ] {
            let message = Message::from_json(format!(r#"{{"type":"page",{given}}}"#).as_bytes()).unwrap();
            assert_eq!(message.as_json(), format!(r#"{{"type":"page",{expected}}}"#));
        }
    }

    #[test]
    fn an_unreadable_original_time_is_kept_as_received() {
        let text = r#"{"type":"page","userId":"u","originalTimestamp":"Invalid date"}"#;
        assert_eq!(Message::from_json(text.as_bytes()).unwrap().as_json(), text);
    }

    #[test]
    fn the_size_limit_is_exact() {
        let frame = r#"{"type":"page","userId":"u","x":""}"#.len();
        let with =
            |bytes: usize| error(json!({"type": "page", "userId": "u", "x": "y".repeat(bytes - frame)}));
        assert_eq!(with(super::MAX_MESSAGE_BYTES), None);
        assert!(with(super::MAX_MESSAGE_BYTES + 1).is_some());
    }

    #[test]
    fn fields_that_are_set_on_receipt_do_not_count_towards_the_size() {
        let time = "2026-11-21T04:00:00Z";
        let mut message = json!({"type": "page", "userId": "u", "x": ""});
        let frame = message.to_string().len();
        message["x"] = "y".repeat(super::MAX_MESSAGE_BYTES - frame).into();
        message["receivedAt"] = time.into();
        message["sentAt"] = time.into();
        message["originalTimestamp"] = time.into();
        message["version"] = 1.into();
        message["channel"] = "browser".into();
        assert_eq!(error(message.clone()), None);
        message["timestamp"] = time.into();
        assert_eq!(
            error(message).as_deref(),
            Some("message: is larger than 32 KB as JSON"),
            "this one counts"
        );
    }

    #[test]
    fn uncounted_fields_cannot_exceed_the_limit() {
        for field in ["version", "channel"] {
            let value = json!({"type": "page", "userId": "u", field: "y".repeat(40_000)});
            assert_eq!(error(value).as_deref(), Some("message: is larger than 32 KB as JSON"), "{field}");
        }
    }

    #[test]
    fn a_message_keeps_everything_but_the_form_of_its_times() {
        let text = br#"{"zip":1e-400,"type":"track","event":"e","userId":"u","timestamp":"2026-11-21T06:00:00+02:00","1":{"b":1.0,"a":null}}"#;
        assert_eq!(
            Message::from_json(text).unwrap().as_json(),
            r#"{"zip":1e-400,"type":"track","event":"e","userId":"u","timestamp":"2026-11-21T04:00:00.000Z","1":{"b":1.0,"a":null}}"#
        );
    }
}
