//! The ledger of sign-ups on Amazon DynamoDB.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure::AllOld},
};
use segment::timestamp;

use super::table::{DynamoDbError, ID, Item, Table, text};
use crate::{
    clock::SharedClock,
    ledger::{Ledger, LedgerError, Standing},
};

/// Whether the user's sign-up is published.
const CONFIRMED: &str = "confirmed";

/// When the user was first seen, for operators.
const CLAIMED_AT: &str = "claimedAt";

/// A ledger on Amazon DynamoDB: an item `user#<key>` for each user. Cloning it is cheap.
///
/// It needs `dynamodb:PutItem` and `dynamodb:UpdateItem`, and [`warm`](Self::warm) needs `dynamodb:GetItem`.
#[derive(Clone)]
pub struct DynamoDbLedger {
    table: Table,
}

impl DynamoDbLedger {
    pub(super) fn new(client: Client, table: String) -> Self {
        Self { table: Table::new(client, table) }
    }

    /// Sets how long one claim or confirmation may take in all, with its retries.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.table.deadline = deadline;
        self
    }

    /// Sets the clock that says when a user was first seen.
    #[must_use]
    pub fn with_clock(mut self, clock: SharedClock) -> Self {
        self.table.clock = clock;
        self
    }

    /// Opens a connection, so that the first login need not wait for it. A failure is logged and no more.
    pub async fn warm(&self) {
        self.table.warm().await;
    }

    fn now(&self) -> AttributeValue {
        text(timestamp::format(self.table.clock.now()))
    }

    /// One round trip, of which an answer that gets lost does no harm: the retry finds the item and reads there
    /// what the first attempt wrote.
    async fn put(&self, user: &str, known: bool) -> Result<Standing, DynamoDbError> {
        let call = self.table.client.put_item().table_name(&*self.table.name).item(ID, id(user));
        let call = call.item(CONFIRMED, AttributeValue::Bool(known)).item(CLAIMED_AT, self.now());
        let call = call.condition_expression("attribute_not_exists(id)");
        match call.return_values_on_condition_check_failure(AllOld).send().await {
            Ok(_) => Ok(standing(known)),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(found)) => {
                    Ok(standing(confirmed(found.item().ok_or(DynamoDbError::NoItem)?)))
                }
                _ => Err(DynamoDbError::Call(error.into())),
            },
        }
    }

    async fn update(&self, user: &str) -> Result<(), DynamoDbError> {
        let call = self.table.client.update_item().table_name(&*self.table.name).key(ID, id(user));
        let call = call.update_expression("SET confirmed = :yes, claimedAt = if_not_exists(claimedAt, :now)");
        let call = call.expression_attribute_values(":yes", AttributeValue::Bool(true));
        let answer = call.expression_attribute_values(":now", self.now()).send().await;
        answer.map(|_| ()).map_err(|error| DynamoDbError::Call(error.into()))
    }
}

impl Ledger for DynamoDbLedger {
    async fn claim(&self, user: &str, known: bool) -> Result<Standing, LedgerError> {
        let claimed = self.table.within_deadline(self.put(user, known)).await;
        claimed.map_err(|error| LedgerError(error.into()))
    }

    async fn confirm(&self, user: &str) -> Result<(), LedgerError> {
        let confirmed = self.table.within_deadline(self.update(user)).await;
        confirmed.map_err(|error| LedgerError(error.into()))
    }
}

fn id(user: &str) -> AttributeValue {
    text(format!("user#{user}"))
}

/// An item that does not say so is not confirmed: a sign-up that is published once more is the same message, one
/// that is never published is lost.
fn confirmed(item: &Item) -> bool {
    matches!(item.get(CONFIRMED), Some(AttributeValue::Bool(true)))
}

fn standing(confirmed: bool) -> Standing {
    if confirmed { Standing::Login } else { Standing::SignUp }
}
