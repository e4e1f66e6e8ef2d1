//! The message topic: a published message reaches every queue that subscribes to the topic.

use std::{collections::BTreeMap, error::Error, future::Future, time::Duration};

use segment::Message;
use serde_json::Value;
use tokio::time::timeout;

use crate::telemetry::Chain;

/// The attributes of a queued message, beside its body. The names are those of the SNS and SQS attributes.
pub type Attributes = BTreeMap<String, String>;

/// The attribute with the name of the write key in the secret, never the key itself. Without it the name is
/// `default`.
pub const WRITE_KEY: &str = "writeKey";

/// The attribute with the message's type. Subscriptions filter on it: a `delete` must not go to Segment's
/// HTTP API, and only a `delete` becomes a regulation.
pub const MESSAGE_TYPE: &str = "type";

/// The attribute of a message that its `integrations` keep from the webhooks. Its value has no meaning.
pub const NOT_FOR_WEBHOOKS: &str = "notForWebhooks";

/// The attribute of a message that its `integrations` keep from Segment. Its value has no meaning.
pub const NOT_FOR_SEGMENT: &str = "notForSegment";

/// Whether Segment's subscription wants a message: the filter policy
/// `{"type": [{"anything-but": ["delete"]}], "notForSegment": [{"exists": false}]}`.
pub fn for_segment(attributes: &Attributes) -> bool {
    attributes.get(MESSAGE_TYPE).is_some_and(|name| name != segment::MessageType::Delete.as_str())
        && !attributes.contains_key(NOT_FOR_SEGMENT)
}

/// Whether the webhooks' subscription wants a message: the filter policy
/// `{"notForWebhooks": [{"exists": false}]}`.
pub fn for_webhooks(attributes: &Attributes) -> bool {
    !attributes.contains_key(NOT_FOR_WEBHOOKS)
}

/// Whether the regulations' subscription wants a message: the filter policy
/// `{"type": ["delete"], "notForSegment": [{"exists": false}]}`.
pub fn for_regulations(attributes: &Attributes) -> bool {
    attributes.get(MESSAGE_TYPE).is_some_and(|name| name == segment::MessageType::Delete.as_str())
        && !attributes.contains_key(NOT_FOR_SEGMENT)
}

/// A message for the topic.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The message as JSON, in characters that SNS and SQS pass on unchanged.
    pub body: String,
    /// [`WRITE_KEY`] and [`MESSAGE_TYPE`], and if they apply [`NOT_FOR_WEBHOOKS`] and [`NOT_FOR_SEGMENT`].
    pub attributes: Attributes,
}

impl Publication {
    /// Returns a message for the write key with this name.
    pub fn new(message: &Message, write_key: &str) -> Self {
        let mut attributes = vec![(WRITE_KEY, write_key), (MESSAGE_TYPE, message.message_type().as_str())];
        if kept_from_webhooks(message) {
            attributes.push((NOT_FOR_WEBHOOKS, "true"));
        }
        if integration(message, "Segment.io") == Some(&Value::Bool(false)) {
            attributes.push((NOT_FOR_SEGMENT, "true"));
        }
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self { body: message.as_json().to_owned(), attributes: attributes.into_iter().map(owned).collect() }
    }
}

/// Whether `integrations` keep the message from the webhooks, by Segment's rules: a destination's own entry
/// decides, which is true or holds options. Without one, `All` decides, which is on unless it is false.
fn kept_from_webhooks(message: &Message) -> bool {
    match integration(message, "Webhooks") {
        Some(Value::Bool(wanted)) => !wanted,
        Some(Value::Object(_)) => false,
        _ => integration(message, "All") == Some(&Value::Bool(false)),
    }
}

fn integration<'a>(message: &'a Message, name: &str) -> Option<&'a Value> {
    message.get("integrations")?.get(name)
}

/// The topic to which the ingest functions publish messages.
pub trait Topic: Send + Sync {
    /// Returns when every message is stored durably. After an error some may be stored. Publishing all of
    /// them again is safe, because a message keeps its id.
    ///
    /// # Errors
    /// [`PublishError`] when some messages may not be stored.
    fn publish(
        &self,
        publications: Vec<Publication>,
    ) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// The topic did not take the messages. The caller answers 503, and the sender tries again.
#[derive(Debug, thiserror::Error)]
#[error("the message topic did not take the messages")]
pub struct PublishError(#[source] pub Box<dyn Error + Send + Sync>);

/// Whether `place` stored the messages by the `deadline`. If not, the log says why.
pub async fn stored_in_time<E: Error>(
    place: &'static str,
    deadline: Duration,
    storing: impl Future<Output = Result<(), E>>,
) -> bool {
    match timeout(deadline, storing).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::error!(place, error = %Chain(&error), "Messages were not stored."),
        Err(_) => tracing::error!(place, ?deadline, "Messages were not stored in time."),
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes(value: &Value) -> Attributes {
        Publication::new(&Message::from_json(value.to_string().as_bytes()).unwrap(), "shop").attributes
    }

    #[test]
    fn integrations_say_where_a_message_goes() {
        for (integrations, segment, webhooks) in [
            (json!(null), true, true),
            (json!({}), true, true),
            (json!({"All": true}), true, true),
            (json!({"All": false}), true, false),
            (json!({"All": "no"}), true, true),
            (json!({"All": false, "Webhooks": true}), true, true),
            (json!({"All": false, "Webhooks": {"path": "/a"}}), true, true),
            (json!({"All": false, "Webhooks": {}}), true, true),
            (json!({"All": false, "Webhooks": false}), true, false),
            (json!({"All": false, "Webhooks": null}), true, false),
            (json!({"All": false, "webhooks": true}), true, false),
            (json!({"all": false}), true, true),
            (json!({"Webhooks": false}), true, false),
            (json!({"All": true, "Webhooks": false}), true, false),
            (json!({"webhooks": false}), true, true),
            (json!({"Segment.io": false}), false, true),
            (json!({"Segment.io": true}), true, true),
            (json!({"segment.io": false}), true, true),
            (json!({"All": false, "Segment.io": false}), false, false),
        ] {
            let message = json!({"type": "page", "userId": "u", "integrations": integrations});
            let attributes = attributes(&message);
            assert_eq!(for_segment(&attributes), segment, "{message}");
            assert_eq!(for_webhooks(&attributes), webhooks, "{message}");
        }
    }

    #[test]
    fn an_ordinary_message_has_two_attributes() {
        let expected = [("type", "page"), ("writeKey", "shop")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(attributes(&json!({"type": "page", "userId": "u"})), expected.into());
    }

    #[test]
    fn a_delete_is_for_the_webhooks_and_becomes_a_regulation() {
        let kept = attributes(&json!({"type": "delete", "userId": "u"}));
        assert!(!for_segment(&kept) && for_webhooks(&kept) && for_regulations(&kept));
        let integrations = json!({"Segment.io": false});
        let kept = attributes(&json!({"type": "delete", "userId": "u", "integrations": integrations}));
        assert!(!for_segment(&kept) && for_webhooks(&kept) && !for_regulations(&kept));
        assert!(!for_regulations(&attributes(&json!({"type": "page", "userId": "u"}))));
        assert!(!for_regulations(&Attributes::new()));
    }
}
