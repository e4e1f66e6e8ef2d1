//! A queue, for a client that may do everything.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::{
    Client,
    types::{Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName},
};
use serde_json::{Map, Value};

/// A queue of the stack.
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    pub(crate) fn new(client: Client, url: &str) -> Self {
        Self { client, url: url.to_owned() }
    }

    /// Puts a message into it.
    pub async fn send(&self, body: &str, attributes: &[(&str, &str)]) {
        let mut call = self.client.send_message().queue_url(&self.url).message_body(body);
        for (name, value) in attributes {
            let value = MessageAttributeValue::builder().data_type("String").string_value(*value).build();
            call = call.message_attributes(*name, value.unwrap());
        }
        call.send().await.unwrap();
    }

    /// Receives and deletes the visible messages. Returns them with their attributes.
    pub async fn drain(&self) -> Vec<(Value, Map<String, Value>)> {
        let mut drained = Vec::new();
        loop {
            let messages = self.receive(None).await;
            if messages.is_empty() {
                return drained;
            }
            for message in messages {
                self.delete(&message).await;
                drained.push(content(&message));
            }
        }
    }

    /// Returns the first visible messages with their attributes. They stay in the queue.
    pub async fn peek(&self) -> Vec<(Value, Map<String, Value>)> {
        self.receive(Some(0)).await.iter().map(content).collect()
    }

    /// Receives the visible messages and leaves them hidden, like a consumer that crashes.
    pub async fn receive_and_crash(&self) -> usize {
        self.receive(None).await.len()
    }

    /// Returns how many messages are visible, received but not deleted, and delayed.
    pub async fn counts(&self) -> (usize, usize, usize) {
        use QueueAttributeName::{
            ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesDelayed as Delayed,
            ApproximateNumberOfMessagesNotVisible as Hidden,
        };
        let names = [Visible, Hidden, Delayed];
        let call = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = call.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        let attributes = answer.attributes.unwrap();
        let [visible, hidden, delayed] = names.map(|name| attributes[&name].parse().unwrap());
        (visible, hidden, delayed)
    }

    /// Returns how many messages are delayed.
    pub async fn delayed(&self) -> usize {
        self.counts().await.2
    }

    /// Whether it has no message: visible, hidden or delayed.
    pub async fn is_empty(&self) -> bool {
        self.counts().await == (0, 0, 0)
    }

    /// Moves its messages into another queue with their attributes, like SQS's `StartMessageMoveTask`, which
    /// the emulator lacks.
    pub async fn redrive(&self, into: &Queue) -> usize {
        let mut moved = 0;
        loop {
            let messages = self.receive(None).await;
            if messages.is_empty() {
                return moved;
            }
            for message in messages {
                let attributes = message.message_attributes.clone();
                let call = into.client.send_message().queue_url(&into.url);
                let call = call.set_message_attributes(attributes).set_message_body(message.body.clone());
                call.send().await.unwrap();
                self.delete(&message).await;
                moved += 1;
            }
        }
    }

    /// Returns the age of the oldest visible message. `ahead` is how far the queue's time is ahead of ours.
    pub(crate) async fn age_of_oldest(&self, ahead: Duration) -> Option<Duration> {
        let messages = self.receive(Some(0)).await;
        let sent = messages.iter().map(|message| {
            let sent = &message.attributes.as_ref().unwrap()[&MessageSystemAttributeName::SentTimestamp];
            Duration::from_millis(sent.parse().unwrap())
        });
        sent.min().map(|sent| (now() + ahead).saturating_sub(sent))
    }

    async fn receive(&self, visibility: Option<i32>) -> Vec<Message> {
        let call = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let call =
            call.message_attribute_names("All").wait_time_seconds(0).set_visibility_timeout(visibility);
        let answer = call.message_system_attribute_names(MessageSystemAttributeName::All).send().await;
        answer.unwrap().messages.unwrap_or_default()
    }

    async fn delete(&self, message: &Message) {
        let call = self.client.delete_message().queue_url(&self.url);
        call.receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
    }
}

/// Returns the body and the attributes of a message. A body that is not JSON is a string.
fn content(message: &Message) -> (Value, Map<String, Value>) {
    let body = message.body().unwrap();
    let attributes = message.message_attributes().into_iter().flatten();
    let attributes =
        attributes.map(|(name, value)| (name.clone(), value.string_value().unwrap_or_default().into()));
    (serde_json::from_str(body).unwrap_or_else(|_| body.into()), attributes.collect())
}

#[allow(clippy::disallowed_methods, reason = "the emulator goes by the machine's clock")]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
