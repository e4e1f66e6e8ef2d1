//! The message topic on Amazon SNS.

use std::{error::Error, sync::Arc, time::Duration};

use aws_sdk_sns::{
    Client,
    types::{MessageAttributeValue, PublishBatchRequestEntry},
};
use tokio::{task::JoinSet, time::timeout};

use super::{LazyClient, OPERATION_DEADLINE, pack};
use crate::{
    telemetry::Chain,
    topic::{Publication, PublishError, Topic},
};

/// How many times entries are sent again that SNS did not take from a successful call.
const RETRIES: u32 = 2;

/// The longest wait before the first of these retries.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// The number of calls under way at once for one publish: enough to hide their latency, too few to be
/// throttled.
const PARALLEL: usize = 8;

/// A topic on Amazon SNS.
#[derive(Clone)]
pub struct SnsTopic {
    client: LazyClient<Client>,
    arn: Arc<str>,
    deadline: Duration,
}

/// Why SNS did not take a message.
#[derive(Debug, thiserror::Error)]
enum SnsError {
    #[error("the call to SNS failed")]
    Call(#[source] Box<dyn Error + Send + Sync>),
    #[error("SNS refused {count} messages, the first with {code}")]
    Entries { count: usize, code: String },
    #[error("SNS did not answer within {0:?}")]
    Deadline(Duration),
}

impl SnsTopic {
    pub(super) fn new(client: LazyClient<Client>, arn: String) -> Self {
        Self { client, arn: arn.into(), deadline: OPERATION_DEADLINE }
    }

    /// Sets the longest time for one publish, with all of its calls.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Opens a connection, so that the first message need not wait for it. A failure is only logged.
    pub async fn warm(&self) {
        if let Err(error) = self.client.get_topic_attributes().topic_arn(&*self.arn).send().await {
            tracing::warn!(error = %Chain(&error), "The topic could not be reached during start-up.");
        }
    }

    async fn publish_all(self, publications: Vec<Publication>) -> Result<(), SnsError> {
        let runs = pack::pack(publications.iter().map(|one| pack::size(&one.body, &one.attributes)));
        let mut publications = publications.into_iter();
        // Dropping the set, as the deadline does, ends its calls.
        let mut calls = JoinSet::new();
        for run in runs {
            if calls.len() == PARALLEL {
                finished(&mut calls).await?;
            }
            let entries = publications.by_ref().take(run.len()).enumerate();
            let entries = entries.map(|(index, one)| entry(index, one)).collect::<Result<_, _>>()?;
            calls.spawn(self.clone().publish_run(entries));
        }
        while !calls.is_empty() {
            finished(&mut calls).await?;
        }
        Ok(())
    }

    /// Publishes entries that fit one call. Single entries can fail although the call answers 200; only those
    /// are sent again.
    async fn publish_run(self, mut entries: Vec<PublishBatchRequestEntry>) -> Result<(), SnsError> {
        for attempt in 0..=RETRIES {
            let call = self.client.publish_batch().topic_arn(&*self.arn);
            let call = call.set_publish_batch_request_entries(Some(entries.clone()));
            let answer = call.send().await.map_err(|error| SnsError::Call(error.into()))?;
            // Entries that the answer does not name as taken were not taken, even if it does not name them as
            // failed.
            entries.retain(|entry| !answer.successful().iter().any(|taken| taken.id() == Some(entry.id())));
            if entries.is_empty() {
                return Ok(());
            }
            let failed = answer.failed();
            if attempt == RETRIES || failed.iter().any(|entry| entry.sender_fault()) {
                let code = failed.first().map_or("no answer", |entry| entry.code());
                return Err(SnsError::Entries { count: entries.len(), code: code.to_owned() });
            }
            tokio::time::sleep((FIRST_WAIT * 2_u32.pow(attempt)).mul_f64(fastrand::f64())).await;
        }
        Ok(())
    }
}

impl Topic for SnsTopic {
    async fn publish(&self, publications: Vec<Publication>) -> Result<(), PublishError> {
        timeout(self.deadline, self.clone().publish_all(publications))
            .await
            .unwrap_or(Err(SnsError::Deadline(self.deadline)))
            .map_err(|error| PublishError(error.into()))
    }
}

async fn finished(calls: &mut JoinSet<Result<(), SnsError>>) -> Result<(), SnsError> {
    match calls.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(panicked)) => Err(SnsError::Call(panicked.into())),
        None => Ok(()),
    }
}

fn entry(index: usize, publication: Publication) -> Result<PublishBatchRequestEntry, SnsError> {
    let mut entry = PublishBatchRequestEntry::builder().id(index.to_string()).message(publication.body);
    for (name, value) in publication.attributes {
        let Some(value) = pack::attribute_value(&value) else { continue };
        let value = MessageAttributeValue::builder().data_type(pack::TEXT).string_value(value).build();
        entry = entry.message_attributes(name, value.map_err(|error| SnsError::Call(error.into()))?);
    }
    entry.build().map_err(|error| SnsError::Call(error.into()))
}
