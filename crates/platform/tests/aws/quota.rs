//! The quota in DynamoDB.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use platform::{aws::DynamoDbTable, clock::HeldClock, quota::Quota};
use serde_json::{Value, json};

use crate::{
    ledger::condition_failed,
    service::{Requests, start},
};

/// A quota in a table that has these amounts `used` at each call, in order. The last one stays.
async fn quota(used: &'static [u64]) -> (DynamoDbTable, Requests) {
    let calls = AtomicUsize::new(0);
    let (aws, requests) = start(move |request| {
        let used = used[calls.fetch_add(1, Ordering::SeqCst).min(used.len() - 1)];
        let request: Value = serde_json::from_str(request).unwrap();
        let most: u64 = request["ExpressionAttributeValues"][":most"]["N"].as_str().unwrap().parse().unwrap();
        if used <= most {
            return Some((200, "{}".into()));
        }
        condition_failed(&json!({"used": {"N": used.to_string()}}))
    })
    .await;
    (aws.table("Ledger").with_clock(HeldClock::at("2026-11-21T00:00:00Z".parse().unwrap())), requests)
}

fn wanted(requests: &Requests) -> Vec<String> {
    let wanted = |request: &String| {
        let request: Value = serde_json::from_str(request).unwrap();
        request["ExpressionAttributeValues"][":wanted"]["N"].as_str().unwrap().to_owned()
    };
    requests.lock().unwrap().iter().map(wanted).collect()
}

#[tokio::test]
async fn the_rest_of_the_limit_is_granted_in_one_round_trip_and_expires_after_400_days() {
    let (quota, requests) = quota(&[10]).await;
    assert_eq!(quota.take("regulations#default#2026-11", 5, 100).await.unwrap(), 5);
    let request: Value = serde_json::from_str(&requests.lock().unwrap()[0]).unwrap();
    let expected = json!({
        "TableName": "Ledger",
        "Key": {"id": {"S": "quota#regulations#default#2026-11"}},
        "UpdateExpression": "SET expiresAt = if_not_exists(expiresAt, :expires) ADD used :wanted",
        "ConditionExpression": "attribute_not_exists(used) OR used <= :most",
        "ExpressionAttributeValues": {
            ":expires": {"N": "1829779200"},
            ":most": {"N": "95"},
            ":wanted": {"N": "5"},
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    assert_eq!(request, expected);
}

#[tokio::test]
async fn a_taker_that_wants_more_than_is_left_gets_the_rest() {
    for (used, amount, limit, asked, granted) in [
        (&[0][..], 200, 100, &["100"][..], 100),
        (&[97], 5, 100, &["5", "3"], 3),
        (&[97, 98], 5, 100, &["5", "3", "2"], 2),
        (&[97, 100], 5, 100, &["5", "3"], 0),
        (&[100], 5, 100, &["5"], 0),
        (&[150], 5, 100, &["5"], 0),
        (&[0], 5, 0, &[], 0),
        (&[0], 0, 100, &[], 0),
    ] {
        let (quota, requests) = quota(used).await;
        assert_eq!(quota.take("p", amount, limit).await.unwrap(), granted, "{used:?} {amount} {limit}");
        assert_eq!(wanted(&requests), asked);
    }
}

#[tokio::test]
async fn a_taker_that_is_always_too_late_gets_an_error() {
    let (quota, requests) = quota(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]).await;
    let error = quota.take("p", 100, 100).await.unwrap_err();
    assert_eq!(error.0.to_string(), "other takers were faster 10 times; try again");
    assert_eq!(requests.lock().unwrap().len(), 10);
}

#[tokio::test]
async fn an_amount_that_is_given_back_is_subtracted() {
    let (aws, requests) = start(|_| Some((200, "{}".into()))).await;
    aws.table("Ledger").give_back("p", 5).await.unwrap();
    let expected = json!({
        "TableName": "Ledger",
        "Key": {"id": {"S": "quota#p"}},
        "UpdateExpression": "ADD used :amount",
        "ConditionExpression": "used >= :least",
        "ExpressionAttributeValues": {":amount": {"N": "-5"}, ":least": {"N": "5"}},
    });
    assert_eq!(serde_json::from_str::<Value>(&requests.lock().unwrap()[0]).unwrap(), expected);
    aws.table("Ledger").give_back("p", 0).await.unwrap();
    assert_eq!(requests.lock().unwrap().len(), 1, "nothing to give back is no call");
}

#[tokio::test]
async fn an_amount_that_was_never_taken_is_not_given_back() {
    let (aws, _) = start(|_| condition_failed(&Value::Null)).await;
    aws.table("Ledger").give_back("p", 5).await.unwrap();
}

#[tokio::test]
async fn taking_is_tried_again_but_giving_back_is_not() {
    let (aws, requests) = start(|_| Some((500, String::new()))).await;
    assert!(aws.table("Ledger").give_back("p", 5).await.is_err());
    assert_eq!(requests.lock().unwrap().len(), 1, "a second time could give back twice");
    assert!(aws.table("Ledger").take("p", 5, 100).await.is_err());
    assert_eq!(requests.lock().unwrap().len(), 1 + 3);
}

#[tokio::test]
async fn the_deadline_ends_a_call_that_hangs() {
    let (aws, _) = start(|_| None).await;
    let quota = aws.table("Ledger").with_deadline(Duration::from_millis(50));
    let error = quota.take("p", 5, 100).await.unwrap_err();
    assert_eq!(error.0.to_string(), "DynamoDB did not answer within 50ms");
    assert!(quota.give_back("p", 5).await.is_err());
}

#[tokio::test]
async fn a_table_that_cannot_be_warmed_up_stops_nothing() {
    let (aws, requests) = start(|_| Some((400, String::new()))).await;
    aws.table("Ledger").warm().await;
    assert_eq!(requests.lock().unwrap().len(), 1);
}
