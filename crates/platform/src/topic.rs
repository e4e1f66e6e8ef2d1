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

/// The attribute with the destinations that the message's `integrations` keep it from, joined by commas, in the order of
/// [`Recipient::ALL`]. Most messages have none.
///
/// A filter policy of SNS compares whole values, so it lists each list with its destination.
pub const NOT_FOR: &str = "notFor";

/// A destination that `integrations` can keep a message from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Segment, with its regulations.
    Segment,
    /// The webhooks.
    Webhooks,
    /// The warehouse.
    Warehouse,
}

impl Recipient {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 3] = [Self::Segment, Self::Warehouse, Self::Webhooks];

    /// Returns the name in [`NOT_FOR`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Webhooks => "webhooks",
            Self::Warehouse => "warehouse",
        }
    }

    /// Returns the attribute that version 0.1.0 set instead. Such a message can be in a queue for 14 days after an update.
    /// Delete this after the version that follows 0.2.0.
    fn former_attribute(self) -> Option<&'static str> {
        match self {
            Self::Segment => Some("notForSegment"),
            Self::Webhooks => Some("notForWebhooks"),
            Self::Warehouse => None,
        }
    }

    /// Whether a message with these attributes is for this destination.
    fn may_have(self, attributes: &Attributes) -> bool {
        let is_kept = |list: &String| list.split(',').any(|name| name == self.as_str());
        !attributes.get(NOT_FOR).is_some_and(is_kept)
            && self.former_attribute().is_none_or(|name| !attributes.contains_key(name))
    }

    /// Whether `integrations` keep the message from this destination, by Segment's rules.
    fn is_denied(self, message: &Message) -> bool {
        match self {
            Self::Segment => integration(message, "Segment.io") == Some(&Value::Bool(false)),
            // A destination's own entry decides, which is true or holds options. Without one, `All` decides, which is on
            // unless it is false.
            Self::Webhooks => match integration(message, "Webhooks") {
                Some(Value::Bool(wanted)) => !wanted,
                Some(Value::Object(_)) => false,
                _ => integration(message, "All") == Some(&Value::Bool(false)),
            },
            // `All` does not apply to warehouses (Segment docs, "Warehouse FAQ"). A list names warehouses of Segment's.
            Self::Warehouse => match integration(message, "Warehouses") {
                Some(Value::Bool(wanted)) => !wanted,
                Some(Value::Object(options)) => {
                    options.get("all") == Some(&Value::Bool(false)) || options.contains_key("warehouseIds")
                }
                _ => false,
            },
        }
    }
}

fn integration<'a>(message: &'a Message, name: &str) -> Option<&'a Value> {
    message.get("integrations")?.get(name)
}

fn is_delete(attributes: &Attributes) -> bool {
    attributes.get(MESSAGE_TYPE).is_some_and(|name| name == segment::MessageType::Delete.as_str())
}

/// Whether Segment's subscription wants a message. Deletions are not for Segment's HTTP API.
pub fn for_segment(attributes: &Attributes) -> bool {
    attributes.contains_key(MESSAGE_TYPE) && !is_delete(attributes) && Recipient::Segment.may_have(attributes)
}

/// Whether the webhooks' subscription wants a message.
pub fn for_webhooks(attributes: &Attributes) -> bool {
    Recipient::Webhooks.may_have(attributes)
}

/// Whether the regulations' subscription wants a message.
pub fn for_regulations(attributes: &Attributes) -> bool {
    is_delete(attributes) && Recipient::Segment.may_have(attributes)
}

/// Whether the warehouse's subscription wants a message.
pub fn for_warehouse(attributes: &Attributes) -> bool {
    Recipient::Warehouse.may_have(attributes)
}

/// A message for the topic.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The message as JSON, in characters that SNS and SQS pass on unchanged.
    pub body: String,
    /// [`WRITE_KEY`] and [`MESSAGE_TYPE`], and if it applies [`NOT_FOR`].
    pub attributes: Attributes,
}

impl Publication {
    /// Returns a message for the write key with this name.
    pub fn new(message: &Message, write_key: &str) -> Self {
        let mut attributes = vec![
            (WRITE_KEY, write_key.to_owned()),
            (MESSAGE_TYPE, message.message_type().as_str().to_owned()),
        ];
        let denied = Recipient::ALL.into_iter().filter(|recipient| recipient.is_denied(message));
        let denied: Vec<&str> = denied.map(Recipient::as_str).collect();
        if !denied.is_empty() {
            attributes.push((NOT_FOR, denied.join(",")));
        }
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self { body: message.as_json().to_owned(), attributes: attributes.collect() }
    }
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
        for (integrations, segment, webhooks, warehouse) in [
            (json!(null), true, true, true),
            (json!({}), true, true, true),
            (json!({"All": true}), true, true, true),
            (json!({"All": false}), true, false, true),
            (json!({"All": "no"}), true, true, true),
            (json!({"All": false, "Webhooks": true}), true, true, true),
            (json!({"All": false, "Webhooks": {"path": "/a"}}), true, true, true),
            (json!({"All": false, "Webhooks": {}}), true, true, true),
            (json!({"All": false, "Webhooks": false}), true, false, true),
            (json!({"All": false, "Webhooks": null}), true, false, true),
            (json!({"All": false, "webhooks": true}), true, false, true),
            (json!({"all": false}), true, true, true),
            (json!({"Webhooks": false}), true, false, true),
            (json!({"All": true, "Webhooks": false}), true, false, true),
            (json!({"webhooks": false}), true, true, true),
            (json!({"Segment.io": false}), false, true, true),
            (json!({"Segment.io": true}), true, true, true),
            (json!({"segment.io": false}), true, true, true),
            (json!({"All": false, "Segment.io": false}), false, false, true),
            (json!({"Warehouses": false}), true, true, false),
            (json!({"Warehouses": true, "All": false}), true, false, true),
            (json!({"Warehouses": {"all": false}}), true, true, false),
            (json!({"Warehouses": {"all": true}}), true, true, true),
            (json!({"Warehouses": {"warehouseIds": ["a"]}}), true, true, false),
            (json!({"Warehouses": null}), true, true, true),
            (json!({"Segment.io": false, "Webhooks": false, "Warehouses": false}), false, false, false),
        ] {
            let message = json!({"type": "page", "userId": "u", "integrations": integrations});
            let attributes = attributes(&message);
            assert_eq!(for_segment(&attributes), segment, "{message}");
            assert_eq!(for_webhooks(&attributes), webhooks, "{message}");
            assert_eq!(for_warehouse(&attributes), warehouse, "{message}");
            let kept = [(segment, "segment"), (warehouse, "warehouse"), (webhooks, "webhooks")];
            let kept: Vec<&str> = kept.iter().filter(|(wanted, _)| !wanted).map(|(_, name)| *name).collect();
            let list = (!kept.is_empty()).then(|| kept.join(","));
            assert_eq!(attributes.get(NOT_FOR), list.as_ref(), "{message}");
        }
    }

    #[test]
    fn the_attributes_of_version_0_1_0_still_count() {
        for (name, segment, webhooks) in [("notForSegment", false, true), ("notForWebhooks", true, false)] {
            let attributes = [(MESSAGE_TYPE, "track"), (name, "true")];
            let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            assert_eq!((for_segment(&attributes), for_webhooks(&attributes)), (segment, webhooks), "{name}");
            assert!(for_warehouse(&attributes));
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
