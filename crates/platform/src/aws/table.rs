//! The DynamoDB table of the ledger and the quota. Its key is `id`.

use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use tokio::time::timeout;

use super::{LazyClient, OPERATION_DEADLINE};
use crate::{
    clock::{SharedClock, SystemClock},
    telemetry::Chain,
};

/// The name of the partition key.
pub(super) const ID: &str = "id";

/// The attributes of an item by name.
pub(super) type Item = HashMap<String, AttributeValue>;

/// A table on Amazon DynamoDB. It holds the [ledger](crate::ledger::Ledger) of sign-ups and the
/// [quota](crate::quota::Quota) of a period. Cloning it is cheap.
///
/// The ledger needs `dynamodb:PutItem` and `dynamodb:UpdateItem`, the quota `dynamodb:UpdateItem`, and
/// [`warm`](Self::warm) `dynamodb:GetItem`.
#[derive(Clone)]
pub struct DynamoDbTable {
    pub(super) client: LazyClient<Client>,
    pub(super) name: Arc<str>,
    pub(super) clock: SharedClock,
    deadline: Duration,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DynamoDbError {
    #[error("the call to DynamoDB failed")]
    Call(#[source] Box<dyn Error + Send + Sync>),
    #[error("DynamoDB did not return the item whose condition failed")]
    NoItem,
    #[error("other takers were faster {0} times; try again")]
    Contended(u32),
    #[error("DynamoDB did not answer within {0:?}")]
    Deadline(Duration),
}

impl DynamoDbTable {
    pub(super) fn new(client: LazyClient<Client>, name: String) -> Self {
        Self { client, name: name.into(), clock: SystemClock::shared(), deadline: OPERATION_DEADLINE }
    }

    /// Sets the longest time for one operation, with all of its retries and calls.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the clock for the time at which a user was first seen and for the time at which a period expires.
    #[must_use]
    pub fn with_clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// Waits for `operation` until the deadline.
    pub(super) async fn within_deadline<R>(
        &self,
        operation: impl Future<Output = Result<R, DynamoDbError>>,
    ) -> Result<R, DynamoDbError> {
        timeout(self.deadline, operation).await.unwrap_or(Err(DynamoDbError::Deadline(self.deadline)))
    }

    /// Opens a connection by asking for an item that does not exist, so that the first operation need not
    /// wait. A failure is only logged.
    pub async fn warm(&self) {
        let call = self.client.get_item().table_name(&*self.name).key(ID, text("warm"));
        if let Err(error) = call.send().await {
            tracing::warn!(error = %Chain(&error), "The table could not be reached during start-up.");
        }
    }
}

/// Returns the value of an attribute that is text.
pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// Returns the value of an attribute that is a number.
pub(super) fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
