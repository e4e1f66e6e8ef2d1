//! Reads the messages in the text of a request, and their shared fields.

use std::collections::BTreeSet;

use segment::{
    MAX_BATCH_MESSAGES,
    json::{self, Fault, JsonError},
};
use serde_json::{Map, Value};

use crate::{
    merge::BatchFields,
    response::Failure,
    route::Call,
    write_key::{self, Refusal},
};

/// The most bytes that a batch's context and integrations may take once they are copied into each message: a
/// request of 500 KB must not become a gigabyte of messages.
const MAX_SHARED_BYTES: usize = 8 * 1024 * 1024;

/// The unchecked messages of a request.
#[derive(Debug)]
pub(crate) struct Intake {
    /// The write key in the body.
    pub write_key: Option<String>,
    pub shared: BatchFields,
    pub members: Vec<IncomingMessage>,
}

/// One message of a request.
#[derive(Debug, Default)]
pub(crate) struct IncomingMessage {
    /// Its own write key.
    pub write_key: Option<String>,
    /// `None` if it is not an object, or cannot be read.
    pub object: Option<Map<String, Value>>,
    /// Why it cannot be read.
    pub fault: Option<Fault>,
}

impl Intake {
    /// Reads the body of a call. For a single message, the path decides its type.
    pub fn read(call: Call, text: &[u8]) -> Result<Self, Failure> {
        match call {
            Call::One(message_type) | Call::Pixel(message_type) => {
                let mut body = json::parse_object(text)?;
                let write_key = write_key::take(&mut body)?;
                body.insert("type".to_owned(), message_type.as_str().into());
                let member = IncomingMessage { write_key: None, object: Some(body), fault: None };
                Ok(Self { write_key, shared: BatchFields::default(), members: vec![member] })
            }
            Call::Batch => {
                let (body, faults) = json::parse_items(text, &["batch"], MAX_BATCH_MESSAGES)?;
                let Value::Object(mut body) = body else { return Err(JsonError::NotAnObject.into()) };
                let write_key = write_key::take(&mut body)?;
                let (shared, mut members) = batch(body)?;
                for fault in faults {
                    if let Some(member) = fault.item().and_then(|index| members.get_mut(index)) {
                        member.fault = Some(fault);
                    }
                }
                Ok(Self { write_key, shared, members })
            }
        }
    }

    /// Returns the write keys in the body and its messages.
    pub fn write_keys(&self) -> BTreeSet<&str> {
        let own = self.members.iter().filter_map(|member| member.write_key.as_deref());
        self.write_key.as_deref().into_iter().chain(own).collect()
    }
}

fn batch(mut body: Map<String, Value>) -> Result<(BatchFields, Vec<IncomingMessage>), Failure> {
    let messages = match body.remove("batch") {
        Some(Value::Array(messages)) => messages,
        Some(_) => return Err(Failure::Field("batch", "must be a list of messages")),
        None => return Err(Failure::Field("batch", "is missing; it must be a list of messages")),
    };
    let shared = BatchFields {
        context: shared(&mut body, "context")?,
        integrations: shared(&mut body, "integrations")?,
        sent_at: body.remove("sentAt").filter(|value| !value.is_null()),
    };
    let bytes = json::encode(&shared.context).len() + json::encode(&shared.integrations).len();
    if bytes * messages.len() > MAX_SHARED_BYTES {
        return Err(Failure::SharedTooLarge);
    }
    let members = messages.into_iter().map(member).collect::<Result<_, _>>()?;
    Ok((shared, members))
}

fn shared(body: &mut Map<String, Value>, field: &'static str) -> Result<Map<String, Value>, Failure> {
    match body.remove(field) {
        Some(Value::Object(object)) => Ok(object),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(value) if segment::means_empty_object(&value) => Ok(Map::new()),
        Some(_) => Err(Failure::Field(field, "must be an object")),
    }
}

fn member(value: Value) -> Result<IncomingMessage, Refusal> {
    let Value::Object(mut object) = value else { return Ok(IncomingMessage::default()) };
    let write_key = write_key::take(&mut object)?;
    Ok(IncomingMessage { write_key, object: Some(object), fault: None })
}
