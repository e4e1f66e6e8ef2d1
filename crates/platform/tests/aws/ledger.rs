//! The ledger in DynamoDB.

use std::time::Duration;

use platform::{
    aws::DynamoDbTable,
    clock::HeldClock,
    ledger::{Claim, Ledger},
};
use serde_json::{Value, json};

use crate::service::{Requests, start};

/// Returns DynamoDB's answer when a condition does not hold, with the item as it is.
pub fn condition_failed(item: &Value) -> Option<(u16, String)> {
    let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    Some((
        400,
        json!({"__type": kind, "message": "The conditional request failed", "Item": item}).to_string(),
    ))
}

async fn ledger(
    answer: impl Fn(&str) -> Option<(u16, String)> + Send + Sync + 'static,
) -> (DynamoDbTable, Requests) {
    let (aws, requests) = start(answer).await;
    let clock = HeldClock::at("2026-11-21T04:05:06.789Z".parse().unwrap());
    (aws.table("Ledger").with_clock(clock), requests)
}

fn only(requests: &Requests) -> Value {
    let requests = requests.lock().unwrap();
    assert_eq!(requests.len(), 1, "one round trip");
    serde_json::from_str(&requests[0]).unwrap()
}

#[tokio::test]
async fn the_first_sight_of_a_user_is_a_sign_up_in_one_round_trip() {
    let (ledger, requests) = ledger(|_| Some((200, "{}".into()))).await;
    assert_eq!(ledger.claim("abc", false).await.unwrap(), Claim::SignUp);
    let expected = json!({
        "TableName": "Ledger",
        "Item": {
            "id": {"S": "user#abc"},
            "confirmed": {"BOOL": false},
            "claimedAt": {"S": "2026-11-21T04:05:06.789Z"},
        },
        "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    assert_eq!(only(&requests), expected);
}

#[tokio::test]
async fn a_user_known_from_elsewhere_only_logs_in() {
    let (ledger, requests) = ledger(|_| Some((200, "{}".into()))).await;
    assert_eq!(ledger.claim("abc", true).await.unwrap(), Claim::Login);
    assert_eq!(only(&requests)["Item"]["confirmed"], json!({"BOOL": true}));
}

#[tokio::test]
async fn the_stored_claim_decides_and_not_later_knowledge() {
    for (item, standing) in [
        (json!({"id": {"S": "user#abc"}, "confirmed": {"BOOL": true}}), Claim::Login),
        (json!({"id": {"S": "user#abc"}, "confirmed": {"BOOL": false}}), Claim::SignUp),
        (json!({"id": {"S": "user#abc"}}), Claim::SignUp),
    ] {
        let (ledger, requests) = ledger(move |_| condition_failed(&item)).await;
        for known in [false, true] {
            assert_eq!(ledger.claim("abc", known).await.unwrap(), standing);
        }
        assert_eq!(requests.lock().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_confirmation_is_stored_even_of_a_user_never_claimed() {
    let (ledger, requests) = ledger(|_| Some((200, "{}".into()))).await;
    ledger.confirm("abc").await.unwrap();
    let expected = json!({
        "TableName": "Ledger",
        "Key": {"id": {"S": "user#abc"}},
        "UpdateExpression": "SET confirmed = :yes, claimedAt = if_not_exists(claimedAt, :now)",
        "ExpressionAttributeValues": {":yes": {"BOOL": true}, ":now": {"S": "2026-11-21T04:05:06.789Z"}},
    });
    assert_eq!(only(&requests), expected);
}

#[tokio::test]
async fn a_refused_call_is_an_error() {
    let refusal = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}"#;
    let (ledger, _) = ledger(move |_| Some((400, refusal.into()))).await;
    let error = ledger.claim("abc", false).await.unwrap_err();
    assert!(platform::telemetry::Chain(&error).to_string().contains("AccessDenied"), "{error:?}");
    assert!(ledger.confirm("abc").await.is_err());
}

#[tokio::test]
async fn a_failure_without_the_item_is_an_error() {
    let (ledger, _) = ledger(|_| condition_failed(&Value::Null)).await;
    let error = ledger.claim("abc", false).await.unwrap_err();
    assert_eq!(error.0.to_string(), "DynamoDB did not return the item whose condition failed");
}

#[tokio::test]
async fn the_deadline_ends_a_call_that_hangs() {
    let (ledger, _) = ledger(|_| None).await;
    let ledger = ledger.with_deadline(Duration::from_millis(50));
    let error = ledger.claim("abc", false).await.unwrap_err();
    assert_eq!(error.0.to_string(), "DynamoDB did not answer within 50ms");
    assert!(ledger.confirm("abc").await.is_err());
}

#[tokio::test]
async fn a_table_that_cannot_be_warmed_up_stops_nothing() {
    let (ledger, requests) = ledger(|_| Some((400, String::new()))).await;
    ledger.warm().await;
    assert_eq!(only(&requests), json!({"TableName": "Ledger", "Key": {"id": {"S": "warm"}}}));
}
