//! The queue on Amazon SQS, seen by the function that Lambda invokes with its messages.

use std::{error::Error, iter, sync::Arc, time::Duration};

use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, SendMessageBatchRequestEntry},
};

use super::pack;
use crate::{
    queue::{PutBack, Queue, QueueError, Received},
    telemetry::Chain,
};

/// The longest that SQS delays a message (API reference, SendMessage, "DelaySeconds").
const MAX_DELAY: Duration = Duration::from_secs(15 * 60);

/// A queue on Amazon SQS and its dead-letter queue.
///
/// A message that must wait is sent anew with a delay and the received one deleted, by not reporting it as
/// failed: a delayed message does not count as in flight, of which a queue has 120,000 at most, as one hidden
/// by its visibility timeout does. The new one is sent before the old one goes, so nothing is lost between.
#[derive(Clone)]
pub struct SqsQueue {
    client: Client,
    url: Arc<str>,
    dead_letter_url: Arc<str>,
}

/// Why SQS did not take a message.
#[derive(Debug, thiserror::Error)]
enum SqsError {
    #[error("the call to SQS failed")]
    Call(#[source] Arc<dyn Error + Send + Sync>),
    #[error("SQS refused the message with {0}")]
    Entry(String),
    #[error("SQS did not say what became of the message")]
    Unanswered,
}

/// What is sent: the message and its delay.
struct Outgoing {
    message: Received,
    delay: Duration,
}

impl SqsQueue {
    pub(super) fn new(client: Client, url: String, dead_letter_url: String) -> Self {
        Self { client, url: url.into(), dead_letter_url: dead_letter_url.into() }
    }

    /// Opens a connection, so that the first message need not wait for it. A failure is logged and no more.
    pub async fn warm(&self) {
        if let Err(error) = self.client.get_queue_attributes().queue_url(&*self.url).send().await {
            tracing::warn!(error = %Chain(&error), "The queue could not be reached during start-up.");
        }
    }

    /// Sends to `url` and answers for each message, in order.
    async fn send(&self, url: &str, messages: Vec<Outgoing>) -> Vec<Result<(), QueueError>> {
        let sizes = messages.iter().map(|one| pack::size(&one.message.body, &one.message.attributes));
        let runs = pack::pack(sizes);
        let mut messages = messages.into_iter();
        let mut results = Vec::new();
        for run in runs {
            let run: Vec<Outgoing> = messages.by_ref().take(run.len()).collect();
            let count = run.len();
            match self.send_run(url, run).await {
                Ok(sent) => results.extend(sent.into_iter().map(|one| one.map_err(failed))),
                Err(error) => {
                    let error: Arc<dyn Error + Send + Sync> = Arc::from(error);
                    results.extend(iter::repeat_n(error, count).map(|one| Err(failed(SqsError::Call(one)))));
                }
            }
        }
        results
    }

    /// Sends what fits one call. Entries fail one by one under a 200.
    async fn send_run(
        &self,
        url: &str,
        messages: Vec<Outgoing>,
    ) -> Result<Vec<Result<(), SqsError>>, Box<dyn Error + Send + Sync>> {
        let ids: Vec<String> = (0..messages.len()).map(|index| index.to_string()).collect();
        let entries = iter::zip(&ids, messages).map(|(id, one)| entry(id, one)).collect::<Result<_, _>>()?;
        let call = self.client.send_message_batch().queue_url(url).set_entries(Some(entries));
        let answer = call.send().await?;
        let result = |id: &String| {
            if answer.successful().iter().any(|taken| taken.id() == id) {
                return Ok(());
            }
            let refused = answer.failed().iter().find(|refused| refused.id() == id);
            Err(refused.map_or(SqsError::Unanswered, |refused| SqsError::Entry(refused.code().to_owned())))
        };
        Ok(ids.iter().map(result).collect())
    }
}

impl Queue for SqsQueue {
    async fn put_back(&self, messages: Vec<PutBack>) -> Vec<Result<(), QueueError>> {
        let outgoing = |one: PutBack| Outgoing { message: one.message, delay: one.delay };
        self.send(&self.url, messages.into_iter().map(outgoing).collect()).await
    }

    async fn dead_letter(&self, messages: Vec<Received>) -> Vec<Result<(), QueueError>> {
        let outgoing = |message| Outgoing { message, delay: Duration::ZERO };
        self.send(&self.dead_letter_url, messages.into_iter().map(outgoing).collect()).await
    }
}

fn failed(error: SqsError) -> QueueError {
    QueueError(error.into())
}

fn entry(
    id: &str,
    outgoing: Outgoing,
) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    // Rounded up: a message that comes back too early would be an attempt that nobody asked for.
    let delay = outgoing.delay.min(MAX_DELAY).as_millis().div_ceil(1_000);
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(outgoing.message.body)
        .delay_seconds(i32::try_from(delay).unwrap_or(i32::MAX));
    for (name, value) in outgoing.message.attributes {
        let Some(value) = pack::attribute_value(&value) else { continue };
        let value = MessageAttributeValue::builder().data_type(pack::TEXT).string_value(value).build()?;
        entry = entry.message_attributes(name, value);
    }
    entry.build()
}
