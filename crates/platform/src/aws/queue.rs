//! The queue on Amazon SQS, as the function sees it that Lambda invokes with its messages.

use std::{error::Error, iter, sync::Arc};

use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, SendMessageBatchRequestEntry},
};
use tokio::task::JoinSet;

use super::{LazyClient, pack};
use crate::queue::{Entry, MAX_DELAY, Queue, QueueError, Replacement, TargetQueue};

/// The number of calls under way at once. A batch for five webhooks may leave hundreds of entries, and the
/// function is billed while it waits for them.
const PARALLEL: usize = 8;

/// A queue on Amazon SQS and its dead-letter queue.
///
/// A message that must wait is sent again with a delay. The received message is then deleted, because the
/// function does not report it as failed. A delayed message does not count as in flight; a message that its
/// visibility timeout hides does, and a queue allows 120,000 of those at most. The new message is sent before
/// the old one is deleted, so no message is lost in between.
#[derive(Clone)]
pub struct SqsQueue {
    client: LazyClient<Client>,
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
    #[error("SQS did not report whether it took the message")]
    Unanswered,
}

impl SqsQueue {
    pub(super) fn new(client: LazyClient<Client>, url: String, dead_letter_url: String) -> Self {
        Self { client, url: url.into(), dead_letter_url: dead_letter_url.into() }
    }

    /// Puts all entries into the dead-letter queue.
    pub(super) async fn send_all(&self, entries: Vec<Entry>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let sent = self.send(&self.dead_letter_url, entries).await;
        sent.into_iter().collect::<Result<(), SqsError>>().map_err(Into::into)
    }

    /// Sends entries to `url`. Returns a result for each entry, in order.
    async fn send(&self, url: &Arc<str>, entries: Vec<Entry>) -> Vec<Result<(), SqsError>> {
        let runs = pack::pack(entries.iter().map(|entry| pack::size(&entry.body, &entry.attributes)));
        let mut results: Vec<Result<(), SqsError>> =
            entries.iter().map(|_| Err(SqsError::Unanswered)).collect();
        let mut entries = entries.into_iter();
        let mut calls = JoinSet::new();
        for run in runs {
            if calls.len() == PARALLEL {
                finished(&mut calls, &mut results).await;
            }
            let (queue, url) = (self.clone(), url.clone());
            let entries: Vec<Entry> = entries.by_ref().take(run.len()).collect();
            calls.spawn(async move {
                let count = entries.len();
                let sent = queue.send_run(&url, entries).await.unwrap_or_else(|error| {
                    let error: Arc<dyn Error + Send + Sync> = Arc::from(error);
                    iter::repeat_n(error, count).map(|error| Err(SqsError::Call(error))).collect()
                });
                (run.start, sent)
            });
        }
        while !calls.is_empty() {
            finished(&mut calls, &mut results).await;
        }
        results
    }

    /// Sends entries that fit one call. Single entries can fail although the call answers 200.
    async fn send_run(
        &self,
        url: &str,
        entries: Vec<Entry>,
    ) -> Result<Vec<Result<(), SqsError>>, Box<dyn Error + Send + Sync>> {
        let ids: Vec<String> = (0..entries.len()).map(|index| index.to_string()).collect();
        let entries = iter::zip(&ids, entries).map(|(id, one)| request(id, one)).collect::<Result<_, _>>()?;
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
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        let mut results: Vec<Result<(), QueueError>> = replacements.iter().map(|_| Ok(())).collect();
        let entries = replacements.into_iter().enumerate();
        let entries =
            entries.flat_map(|(index, one)| one.entries.into_iter().map(move |entry| (index, entry)));
        let (dead, back): (Vec<_>, Vec<_>) =
            entries.partition(|(_, entry)| entry.target == TargetQueue::DeadLetter);
        for (url, entries) in [(&self.url, back), (&self.dead_letter_url, dead)] {
            let (indexes, entries): (Vec<usize>, Vec<Entry>) = entries.into_iter().unzip();
            for (index, sent) in iter::zip(indexes, self.send(url, entries).await) {
                if let Err(error) = sent {
                    results[index] = Err(QueueError(error.into()));
                }
            }
        }
        results
    }
}

/// Stores the results of the next call that ends. A call that panicked leaves its entries without a result.
async fn finished(
    calls: &mut JoinSet<(usize, Vec<Result<(), SqsError>>)>,
    results: &mut [Result<(), SqsError>],
) {
    if let Some(Ok((start, sent))) = calls.join_next().await {
        iter::zip(&mut results[start..], sent).for_each(|(result, sent)| *result = sent);
    }
}

fn request(id: &str, entry: Entry) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
    let delay = match entry.target {
        // Rounded up: a message that returns too early would cause an extra attempt.
        TargetQueue::Source(delay) => delay.min(MAX_DELAY).as_millis().div_ceil(1_000),
        TargetQueue::DeadLetter => 0,
    };
    let mut request = SendMessageBatchRequestEntry::builder()
        .id(id)
        .message_body(entry.body)
        .delay_seconds(i32::try_from(delay).unwrap_or(i32::MAX));
    for (name, value) in entry.attributes {
        let Some(value) = pack::attribute_value(&value) else { continue };
        let value = MessageAttributeValue::builder().data_type(pack::TEXT).string_value(value).build()?;
        request = request.message_attributes(name, value);
    }
    request.build()
}
