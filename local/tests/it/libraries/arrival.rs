//! The expected message of a library: once at Segment and once at the webhook, with its content, its time
//! and, from a browser or an app, the caller's address.

use segment::timestamp;
use serde_json::{Map, Value, json};
use testkit::FakeServer;

use super::{arrived, relay::Accepted};
use crate::process::Server;

/// The fields that Segment sets at receipt, and the one that it corrects.
const SET_BY_SEGMENT: [&str; 6] =
    ["receivedAt", "sentAt", "originalTimestamp", "version", "channel", "timestamp"];

/// All identifying members.
const IDS: [&str; 5] = ["userId", "anonymousId", "groupId", "previousId", "messageId"];

/// The machine that a library runs on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    Server,
    Browser,
    App,
}

impl Side {
    fn channel(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Browser => "browser",
            Self::App => "mobile",
        }
    }
}

/// An expected message.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub content: Value,
    /// The time of the event, by the sender's clock.
    pub time: Option<Value>,
    /// The time of sending, by the sender's clock.
    pub sent_at: Option<Value>,
    pub side: Side,
}

impl Expected {
    /// Returns the expected messages of these requests.
    pub fn of(requests: &[Accepted], side: Side) -> Vec<Self> {
        requests.iter().flat_map(|request| Self::of_one(request, side)).collect()
    }

    fn of_one(request: &Accepted, side: Side) -> Vec<Self> {
        let body = request.body.as_object().unwrap();
        let Some(batch) = body.get("batch") else {
            let mut message = body.clone();
            let call = request.path.rsplit('/').next().unwrap();
            message.entry("type").or_insert_with(|| call.into());
            return vec![Self::new(message, &Map::new(), side)];
        };
        let messages = batch.as_array().unwrap().iter();
        messages.map(|message| Self::new(message.as_object().unwrap().clone(), body, side)).collect()
    }

    fn new(mut message: Map<String, Value>, batch: &Map<String, Value>, side: Side) -> Self {
        let given =
            |field: &str, of: &Map<String, Value>| of.get(field).filter(|value| !value.is_null()).cloned();
        let time = given("timestamp", &message);
        let sent_at = given("sentAt", &message).or_else(|| given("sentAt", batch));
        for field in ["context", "integrations"] {
            let Some(shared) = batch.get(field) else { continue };
            merge(message.entry(field).or_insert_with(|| json!({})), shared);
        }
        for field in IDS {
            let text = match message.get(field) {
                Some(Value::Number(number)) => number.to_string(),
                Some(Value::String(text)) if text.is_empty() => String::new(),
                _ => continue,
            };
            message.shift_remove(field);
            if !text.is_empty() {
                message.insert(field.to_owned(), text.into());
            }
        }
        message.shift_remove("writeKey");
        if side != Side::Server {
            let context = message.get_mut("context").unwrap().as_object_mut().unwrap();
            context.entry("ip").or_insert_with(|| "127.0.0.1".into());
        }
        Self { content: content(&Value::Object(message)), time, sent_at, side }
    }

    fn id(&self) -> &Value {
        &self.content["messageId"]
    }

    fn is_equal_to(&self, place: &str, arrived: &Value) {
        let arrived = content(arrived);
        assert!(same(&arrived, &self.content), "at {place}: {arrived}\nexpected: {}", self.content);
    }

    fn has_its_time(&self, arrived: &Value) {
        let milliseconds =
            |value: &Value| timestamp::parse(value).unwrap_or_else(|| panic!("{value}")).as_millisecond();
        let at = |field: &str| milliseconds(&arrived[field]);
        if let Some(time) = &self.time {
            assert_eq!(at("originalTimestamp"), milliseconds(time), "{arrived}");
        }
        if let (Some(time), Some(sent_at)) = (&self.time, &self.sent_at) {
            let without_skew = at("receivedAt") - (milliseconds(sent_at) - milliseconds(time));
            assert!((at("timestamp") - without_skew).abs() <= 1, "{arrived}");
        }
    }
}

/// Checks that the stand-in and the webhook have exactly the `expected` messages.
pub(super) async fn arrives_everywhere(server: &Server, webhook: &FakeServer, expected: &[Expected]) {
    let count = expected.len();
    let at_segment: Vec<Value> =
        server.messages(count).await.into_iter().map(|entry| entry["message"].clone()).collect();
    let at_webhook = arrived(webhook, count).await;
    assert_eq!((at_segment.len(), at_webhook.len()), (count, count));
    for message in expected {
        message.is_equal_to("Segment", with_id(&at_segment, message.id()));
        let arrived = with_id(&at_webhook, message.id());
        message.is_equal_to("the webhook", arrived);
        message.has_its_time(arrived);
        assert_eq!(arrived["version"], 1);
        assert_eq!(arrived["channel"], message.side.channel(), "{arrived}");
        assert_eq!(with_id(&at_segment, message.id())["timestamp"], arrived["timestamp"]);
    }
}

/// Checks that each call is among them.
pub(super) fn has_calls(expected: &[Expected], calls: &[&str]) {
    for call in calls {
        assert!(expected.iter().any(|message| message.content["type"] == *call), "no {call}");
    }
}

fn with_id<'a>(messages: &'a [Value], id: &Value) -> &'a Value {
    let mut found = messages.iter().filter(|message| message["messageId"] == *id);
    let message = found.next().unwrap_or_else(|| panic!("{id} did not arrive"));
    assert!(found.next().is_none(), "{id} arrived twice");
    message
}

/// Returns the message without the fields that Segment sets, and without null ids, which count as absent.
fn content(message: &Value) -> Value {
    let mut message = message.clone();
    let object = message.as_object_mut().unwrap();
    SET_BY_SEGMENT.iter().for_each(|field| drop(object.shift_remove(*field)));
    object.retain(|field, value| !(value.is_null() && IDS.contains(&field.as_str())));
    message
}

/// Merges `shared` into `own`, which wins at every depth.
fn merge(own: &mut Value, shared: &Value) {
    let (Value::Object(own), Value::Object(shared)) = (own, shared) else { return };
    for (field, value) in shared {
        match own.get_mut(field) {
            Some(own) => merge(own, value),
            None => drop(own.insert(field.clone(), value.clone())),
        }
    }
}

/// Returns whether the contents are equal. Numbers compare by value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one.to_string().parse::<f64>().unwrap() == other.to_string().parse::<f64>().unwrap()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}
