//! A checked Segment message.

use serde_json::{Map, Value};

use crate::{
    MAX_MESSAGE_BYTES, MessageType, check,
    check::InvalidMessage,
    json::{self, JsonError},
};

/// A message that Segment will take: a JSON object that passed the checks of the spec.
///
/// It holds the object itself instead of mirroring it in a struct, so unknown fields, key order and number
/// digits stay as they were. Only timestamps are rewritten, to UTC with milliseconds.
///
/// ```
/// use segment::{Message, MessageType};
///
/// let message = Message::from_json(br#"{"type":"track","userId":"u1","event":"Signed In","price":1.0}"#)?;
/// assert_eq!(message.message_type(), MessageType::Track);
/// assert!(message.as_json().ends_with(r#""price":1.0}"#));
/// # Ok::<(), segment::MessageError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    message_type: MessageType,
    object: Map<String, Value>,
    /// The object as JSON. The check needs its size, and the same text is then sent.
    json: String,
}

/// Why a text is not a valid message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The text is not a JSON object.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The message breaks a rule of the Segment spec.
    #[error(transparent)]
    Invalid(#[from] InvalidMessage),
}

impl Message {
    /// Reads and checks a message.
    ///
    /// # Errors
    /// [`MessageError`] with the position of the fault, or the path of the field.
    pub fn from_json(text: &[u8]) -> Result<Self, MessageError> {
        Ok(Self::from_object(json::parse_object(text)?)?)
    }

    /// Reads and checks a message that a queue stored. Its JSON stays as it is unless the check corrects it, because to
    /// write it again would cost as much as to read it.
    ///
    /// # Errors
    /// Those of [`from_json`](Self::from_json).
    pub fn from_stored(text: &str) -> Result<Self, MessageError> {
        let mut object = json::parse_object(text.as_bytes())?;
        let (message_type, corrected) = check::check(&mut object)?;
        if corrected || text.len() > MAX_MESSAGE_BYTES || text.contains("\\u") {
            return Ok(Self::from_object(object)?);
        }
        Ok(Self { message_type, object, json: text.to_owned() })
    }

    /// Checks an object.
    ///
    /// # Errors
    /// [`InvalidMessage`] with the path of the first field that breaks a rule.
    pub fn from_object(mut object: Map<String, Value>) -> Result<Self, InvalidMessage> {
        let (message_type, _) = check::check(&mut object)?;
        let json = json::encode(&object);
        check::check_size(&object, json.len())?;
        Ok(Self { message_type, object, json })
    }

    /// Returns its type.
    pub fn message_type(&self) -> MessageType {
        self.message_type
    }

    /// Returns the `messageId`, if it has one.
    pub fn message_id(&self) -> Option<&str> {
        self.text("messageId")
    }

    /// Returns the `userId`, if it has one.
    pub fn user_id(&self) -> Option<&str> {
        self.text("userId")
    }

    /// Returns a top-level field.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.object.get(field)
    }

    /// Returns the message as JSON, without spaces, in characters that queues pass on unchanged.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// Returns the object.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.object
    }

    /// Returns the object, to be changed and checked again.
    pub fn into_object(self) -> Map<String, Value> {
        self.object
    }

    fn text(&self, field: &str) -> Option<&str> {
        self.object.get(field).and_then(Value::as_str)
    }
}

/// The sending library, which Segment's debugger shows as `context.library`.
#[derive(Clone, Debug)]
pub struct Library {
    /// Its name, such as `segue`.
    pub name: &'static str,
    /// Its version, such as `0.1.0`.
    pub version: &'static str,
}

impl Library {
    /// Whether the message already names its library.
    pub fn is_named_in(message: &Message) -> bool {
        matches!(message.get("context"), Some(Value::Object(context)) if context.contains_key("library"))
    }

    /// Sets `context.library` if `object` has none. Leaves a context that is not an object, because the check
    /// refuses it.
    pub fn stamp(&self, object: &mut Map<String, Value>) {
        let context = object.entry("context").or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(context) = context {
            context
                .entry("library")
                .or_insert_with(|| serde_json::json!({"name": self.name, "version": self.version}));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_message_stays_as_it_is_unless_it_must_be_corrected() {
        let kept =
            r#"{"type":"track", "userId":"u","event":"é","n":1.50,"timestamp":"2026-11-27T08:00:00.000Z"}"#;
        assert_eq!(Message::from_stored(kept).unwrap().as_json(), kept);
        for text in [
            r#"{"type":"track","userId":7,"event":"e"}"#,
            r#"{"type":"track","userId":"u","event":"e","properties":[]}"#,
            r#"{"type":"track","userId":"u","event":"e","timestamp":"2026-11-27T09:00:00+01:00"}"#,
            r#"{"type":"track","userId":"u","anonymousId":"","event":"\ud800"}"#,
        ] {
            let (stored, read) =
                (Message::from_stored(text).unwrap(), Message::from_json(text.as_bytes()).unwrap());
            assert_eq!(stored, read, "{text}");
            assert_ne!(stored.as_json(), text);
        }
        for text in ["", "[]", r#"{"type":"track"}"#, r#"{"type":"page","userId":"u","name":}"#] {
            let errors = [Message::from_stored(text), Message::from_json(text.as_bytes())];
            let [stored, read] = errors.map(|error| error.unwrap_err().to_string());
            assert_eq!(stored, read);
        }
    }
}
