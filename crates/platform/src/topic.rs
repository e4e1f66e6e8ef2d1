//! The message topic: what is published once reaches every queue that subscribes to it.

use std::{collections::BTreeMap, future::Future};

/// What a queued message carries beside its body. The names are those of the SNS and SQS attributes.
pub type Attributes = BTreeMap<String, String>;

/// The attribute that names the write key (its name in the secret, never the key). Absent means `default`.
pub const WRITE_KEY: &str = "writeKey";

/// The attribute that holds the message's type. Subscriptions filter on it: a `delete` is not for Segment.
pub const MESSAGE_TYPE: &str = "type";

/// One message on its way to the topic.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The message as JSON, in characters that SNS and SQS pass on unchanged.
    pub body: String,
    /// [`WRITE_KEY`] and [`MESSAGE_TYPE`].
    pub attributes: Attributes,
}

impl Publication {
    /// A message for the write key of the given name.
    pub fn new(message: &segment::Message, write_key: &str) -> Self {
        let attributes = [(WRITE_KEY, write_key), (MESSAGE_TYPE, message.message_type().as_str())];
        Self {
            body: message.as_json().to_owned(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }
    }
}

/// Where the ingest functions put messages.
pub trait Topic: Send + Sync {
    /// Returns when every message is stored durably. After an error some may be stored: publishing all of
    /// them again is safe, because a message keeps its id.
    ///
    /// # Errors
    /// [`PublishError`] when not all of them are known to be stored.
    fn publish(
        &self,
        publications: Vec<Publication>,
    ) -> impl Future<Output = Result<(), PublishError>> + Send;
}

/// The topic did not take the messages. The caller answers 503 and the sender tries again.
#[derive(Debug, thiserror::Error)]
#[error("the message topic did not take the messages")]
pub struct PublishError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
