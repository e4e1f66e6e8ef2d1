//! A quota on Amazon DynamoDB.

use aws_config::retry::RetryConfig;
use aws_sdk_dynamodb::{
    config::Config,
    error::SdkError,
    operation::update_item::{UpdateItemError, builders::UpdateItemFluentBuilder as UpdateItem},
    types::ReturnValuesOnConditionCheckFailure::AllOld,
};

use super::table::{DynamoDbError, DynamoDbTable, ID, Item, number, text};
use crate::quota::{PERIOD_RETENTION, Quota, QuotaError};

/// How much of the period's limit is taken.
const USED: &str = "used";

/// How many times `take` tries to get what is left. Every try but the last fails only because another taker
/// was faster.
const ATTEMPTS: u32 = 10;

impl DynamoDbTable {
    async fn take_what_is_left(&self, period: &str, amount: u64, limit: u64) -> Result<u64, DynamoDbError> {
        // Never ask for more than the limit: the condition allows any amount for the first taker of a period.
        let mut wanted = amount.min(limit);
        for _ in 0..ATTEMPTS {
            if wanted == 0 {
                return Ok(0);
            }
            match self.take_all(period, wanted, limit).await? {
                None => return Ok(wanted),
                Some(used) => wanted = amount.min(limit.saturating_sub(used)),
            }
        }
        Err(DynamoDbError::Contended(ATTEMPTS))
    }

    /// Takes all of `wanted`. If less is left, takes nothing and returns how much is used. If an answer is
    /// lost, the retry takes the amount a second time, so too little may be granted later, but never too
    /// much.
    async fn take_all(&self, period: &str, wanted: u64, limit: u64) -> Result<Option<u64>, DynamoDbError> {
        let forgotten_at = self.clock.now().as_second().saturating_add_unsigned(PERIOD_RETENTION.as_secs());
        let call = self
            .update_period(period)
            .update_expression("SET expiresAt = if_not_exists(expiresAt, :expires) ADD used :wanted")
            .condition_expression("attribute_not_exists(used) OR used <= :most")
            .expression_attribute_values(":expires", number(forgotten_at))
            .expression_attribute_values(":wanted", number(wanted))
            .expression_attribute_values(":most", number(limit - wanted))
            .return_values_on_condition_check_failure(AllOld);
        match call.send().await {
            Ok(_) => Ok(None),
            Err(error) => failed_for(error)?.as_ref().and_then(used).map(Some).ok_or(DynamoDbError::NoItem),
        }
    }

    async fn subtract(&self, period: &str, amount: u64) -> Result<(), DynamoDbError> {
        // Without the SDK's retries. A retry after a lost answer would give the amount back twice, and later
        // takers would get more than the limit.
        let once = Config::builder().retry_config(RetryConfig::disabled());
        let call = self
            .update_period(period)
            .update_expression("ADD used :amount")
            .condition_expression("used >= :least")
            .expression_attribute_values(":amount", number(-i128::from(amount)))
            .expression_attribute_values(":least", number(amount));
        match call.customize().config_override(once).send().await {
            Ok(_) => Ok(()),
            Err(error) => failed_for(error).map(|_| ()),
        }
    }

    fn update_period(&self, period: &str) -> UpdateItem {
        let id = text(format!("quota#{period}"));
        self.client.update_item().table_name(&*self.name).key(ID, id)
    }
}

impl Quota for DynamoDbTable {
    async fn take(&self, period: &str, amount: u64, limit: u64) -> Result<u64, QuotaError> {
        let taken = self.within_deadline(self.take_what_is_left(period, amount, limit)).await;
        taken.map_err(|error| QuotaError(error.into()))
    }

    async fn give_back(&self, period: &str, amount: u64) -> Result<(), QuotaError> {
        if amount == 0 {
            return Ok(());
        }
        let given_back = self.within_deadline(self.subtract(period, amount)).await;
        given_back.map_err(|error| QuotaError(error.into()))
    }
}

/// Returns the item for which the call's condition failed, if DynamoDB shows it. Any other error is returned
/// as an error.
fn failed_for(error: SdkError<UpdateItemError>) -> Result<Option<Item>, DynamoDbError> {
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(failure)) => Ok(failure.item().cloned()),
        _ => Err(DynamoDbError::Call(error.into())),
    }
}

fn used(item: &Item) -> Option<u64> {
    item.get(USED)?.as_n().ok()?.parse().ok()
}
