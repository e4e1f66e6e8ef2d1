//! Lambda's event source for a queue. It passes batches of messages to a function, and deletes the messages
//! that the function does not report as failed (Lambda developer guide, "Using Lambda with Amazon SQS").

use std::{sync::Arc, time::Duration};

use aws_sdk_sqs::{
    Client,
    types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName},
};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::{Failure, Function};
use crate::cloud::{ACCOUNT, REGION};

/// The most messages that SQS hands out at once.
const MOST: i32 = 10;

/// The settings of an event source in the template.
pub(crate) struct EventSource {
    /// A client with the function's role.
    pub client: Client,
    /// The queue's URL.
    pub url: String,
    pub function: Arc<Function>,
    pub batch_size: usize,
    pub window: Duration,
    pub concurrency: usize,
    /// Whether the function's answer names the failed messages.
    pub partial_failures: bool,
}

impl EventSource {
    /// Passes all visible messages in batches. Returns how many were deleted.
    ///
    /// # Errors
    /// [`Failure`] of the function. The batch then stays in the queue.
    pub(crate) async fn deliver(&self) -> Result<usize, Failure> {
        let mut delivered = 0;
        loop {
            let batch = self.receive().await;
            if batch.is_empty() {
                return Ok(delivered);
            }
            delivered += self.hand_over(batch).await?;
        }
    }

    /// Does this continuously, with as many parallel invocations as the template allows.
    pub(crate) fn poll(self: Arc<Self>, workers: &mut JoinSet<()>) {
        for _ in 0..self.concurrency {
            let source = self.clone();
            workers.spawn(async move {
                loop {
                    let mut batch = source.receive().await;
                    if batch.is_empty() {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                    if batch.len() < source.batch_size {
                        tokio::time::sleep(source.window.min(Duration::from_millis(100))).await;
                        batch.extend(source.receive_up_to(source.batch_size - batch.len()).await);
                    }
                    // A failed batch stays in the queue.
                    let _ = source.hand_over(batch).await;
                }
            });
        }
    }

    async fn receive(&self) -> Vec<Message> {
        self.receive_up_to(self.batch_size).await
    }

    async fn receive_up_to(&self, limit: usize) -> Vec<Message> {
        let mut batch = Vec::new();
        while batch.len() < limit {
            let most = MOST.min(i32::try_from(limit - batch.len()).unwrap_or(MOST));
            let call = self.client.receive_message().queue_url(&self.url).max_number_of_messages(most);
            let call = call.message_attribute_names("All").wait_time_seconds(0);
            let answer = call.message_system_attribute_names(MessageSystemAttributeName::All).send().await;
            // Lambda's poller retries when SQS fails. The policies record a missing permission.
            let messages = answer.ok().and_then(|answer| answer.messages).unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            batch.extend(messages);
        }
        batch
    }

    async fn hand_over(&self, batch: Vec<Message>) -> Result<usize, Failure> {
        let records: Vec<Value> = batch.iter().map(|message| record(message, &self.url)).collect();
        let answer = self.function.invoke(json!({"Records": records}).to_string()).await?;
        let done: Vec<&Message> = match self.partial_failures {
            true => {
                let failed = failures(&answer, &batch);
                batch
                    .iter()
                    .filter(|message| !failed.iter().any(|id| Some(id.as_str()) == message.message_id()))
                    .collect()
            }
            false => batch.iter().collect(),
        };
        for messages in done.chunks(10) {
            let entries = messages.iter().enumerate().map(|(index, message)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string());
                entry.receipt_handle(message.receipt_handle().unwrap()).build().unwrap()
            });
            let call = self.client.delete_message_batch().queue_url(&self.url);
            // A message that could not be deleted is delivered again.
            let _ = call.set_entries(Some(entries.collect())).send().await;
        }
        Ok(done.len())
    }
}

/// Returns the failed messages: all of them if the answer is malformed or names a message that is not in the
/// batch.
fn failures(answer: &str, batch: &[Message]) -> Vec<String> {
    let all = || batch.iter().filter_map(|message| message.message_id.clone()).collect();
    let answer: Value = match serde_json::from_str(answer) {
        Ok(Value::Null) => return Vec::new(),
        Ok(answer) => answer,
        Err(_) => return all(),
    };
    let failures = match &answer["batchItemFailures"] {
        Value::Null => return Vec::new(),
        Value::Array(failures) => failures,
        _ => return all(),
    };
    let ids: Option<Vec<String>> =
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned)).collect();
    let known = |id: &String| batch.iter().any(|message| message.message_id() == Some(id));
    ids.filter(|ids| ids.iter().all(known)).unwrap_or_else(all)
}

/// Returns a message as Lambda passes it to a function.
fn record(message: &Message, queue: &str) -> Value {
    let queue = queue.rsplit('/').next().unwrap_or_default();
    let system = message.attributes().into_iter().flatten();
    let system: Map<String, Value> =
        system.map(|(name, value)| (name.as_str().to_owned(), value.as_str().into())).collect();
    let attributes = message.message_attributes().into_iter().flatten();
    let attributes: Map<String, Value> = attributes
        .map(|(name, value)| {
            let value = json!({"dataType": value.data_type(), "stringValue": value.string_value()});
            (name.clone(), value)
        })
        .collect();
    json!({
        "messageId": message.message_id(),
        "receiptHandle": message.receipt_handle(),
        "body": message.body(),
        "attributes": system,
        "messageAttributes": attributes,
        "md5OfBody": message.md5_of_body(),
        "eventSource": "aws:sqs",
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"),
        "awsRegion": REGION,
    })
}
