//! The ledger of sign-ups on Amazon DynamoDB.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure::AllOld},
};
use segment::timestamp;

use super::table::{DynamoDbError, DynamoDbTable, ID, Item, text};
use crate::ledger::{Claim, Ledger, LedgerError};

/// Whether the user's sign-up was published.
const CONFIRMED: &str = "confirmed";

/// When the user was first seen, for operators.
const CLAIMED_AT: &str = "claimedAt";

impl DynamoDbTable {
    fn now(&self) -> AttributeValue {
        text(timestamp::format(self.clock.now()))
    }

    /// Claims in one round trip. A lost answer does no harm: the retry finds the item that the first attempt
    /// wrote.
    async fn claim_user(&self, user: &str, signed_up_before: bool) -> Result<Claim, DynamoDbError> {
        let call = self.client.put_item().table_name(&*self.name).item(ID, id(user));
        let call = call.item(CONFIRMED, AttributeValue::Bool(signed_up_before)).item(CLAIMED_AT, self.now());
        let call = call.condition_expression("attribute_not_exists(id)");
        match call.return_values_on_condition_check_failure(AllOld).send().await {
            Ok(_) => Ok(claim(signed_up_before)),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(found)) => {
                    Ok(claim(confirmed(found.item().ok_or(DynamoDbError::NoItem)?)))
                }
                _ => Err(DynamoDbError::Call(error.into())),
            },
        }
    }

    async fn confirm_user(&self, user: &str) -> Result<(), DynamoDbError> {
        let call = self.client.update_item().table_name(&*self.name).key(ID, id(user));
        let call = call.update_expression("SET confirmed = :yes, claimedAt = if_not_exists(claimedAt, :now)");
        let call = call.expression_attribute_values(":yes", AttributeValue::Bool(true));
        let answer = call.expression_attribute_values(":now", self.now()).send().await;
        answer.map(|_| ()).map_err(|error| DynamoDbError::Call(error.into()))
    }
}

impl Ledger for DynamoDbTable {
    async fn claim(&self, user: &str, signed_up_before: bool) -> Result<Claim, LedgerError> {
        let claimed = self.within_deadline(self.claim_user(user, signed_up_before)).await;
        claimed.map_err(|error| LedgerError(error.into()))
    }

    async fn confirm(&self, user: &str) -> Result<(), LedgerError> {
        let confirmed = self.within_deadline(self.confirm_user(user)).await;
        confirmed.map_err(|error| LedgerError(error.into()))
    }
}

fn id(user: &str) -> AttributeValue {
    text(format!("user#{user}"))
}

/// Whether an item says that the sign-up is confirmed. Without the attribute it is not: a sign-up that is
/// published twice is the same message, but one that is never published is lost.
fn confirmed(item: &Item) -> bool {
    matches!(item.get(CONFIRMED), Some(AttributeValue::Bool(true)))
}

fn claim(confirmed: bool) -> Claim {
    if confirmed { Claim::Login } else { Claim::SignUp }
}
