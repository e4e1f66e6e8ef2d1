//! regulation-delivery.

use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{Stack, samples};
use serde_json::{Value, json};
use testkit::{Answer, FakeServer, Request};

use crate::world::{self, away, deliver_until};

/// The users of the samples.
const ADA: &str = "00000000-0000-0001-0000-000000000000";
const BO: &str = "00000000-0000-0001-0000-000000000001";

async fn started(public_api: &FakeServer) -> Stack {
    world::with_regulations(world::without_segment(), public_api).up().await
}

/// Returns the token and the users of a request.
fn asked(request: &Request) -> (String, Value) {
    let token = request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    (token, request.json()["subjectIds"].clone())
}

fn sample(name: &str) -> String {
    world::sample("regulation-delivery", name)
}

/// Returns the id of the item that counts this month's users of a token.
#[allow(clippy::disallowed_methods, reason = "the function in its own process has the machine's clock")]
fn counter(token: &str) -> String {
    format!("quota#regulations#{token}#{}", &jiff::Timestamp::now().to_string()[..7])
}

/// Returns the count.
async fn used(stack: &Stack, token: &str) -> u64 {
    let item = stack.item(&counter(token)).await;
    item.get("used").map_or(0, |used| used.as_n().unwrap().parse().unwrap())
}

#[tokio::test]
async fn every_sample_ends_at_the_public_api_or_in_the_dead_letter_queue() {
    let public_api = FakeServer::healthy().await;
    let stack = started(&public_api).await;
    let function = stack.function("RegulationDelivery");
    for (name, event) in samples("regulation-delivery") {
        let before = public_api.requests().len();
        let answer: Value = serde_json::from_str(&function.invoke(event).await.unwrap()).unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}), "{name}");
        let mut requests: Vec<_> = public_api.requests()[before..].iter().map(asked).collect();
        requests.sort_by_key(|(token, _)| token.clone());
        let asked = |token: &str, users: &[&str]| (token.to_owned(), json!(users));
        let (expected, dead) = match name.as_str() {
            "two-users-one-twice" => (vec![asked("t1", &[ADA, BO])], 0),
            "two-workspaces" => (vec![asked("t1", &[ADA]), asked("t2", &[ADA])], 0),
            // The track is not for it, according to its subscription's filter.
            "one-undecodable" => (vec![asked("t1", &[ADA])], 1),
            other => panic!("no expectation for {other}"),
        };
        assert_eq!(requests, expected, "{name}");
        let dead_letters = stack.queue("RegulationDeadLetterQueue").await.drain().await;
        assert_eq!(dead_letters.len(), dead, "{name}");
        assert!(dead_letters.iter().all(|(_, attributes)| attributes["failure"] == "invalid"), "{name}");
    }
    assert_eq!((used(&stack, "default").await, used(&stack, "shop").await), (4, 1));
    let logs = function.logs();
    for content in [ADA, BO, "t1", "subjectIds"] {
        assert!(!logs.contains(&format!("\"{content}\"")), "no content in the logs: {logs}");
    }
}

#[tokio::test]
async fn a_published_deletion_waits_while_the_public_api_is_away_and_nothing_else_arrives() {
    let public_api = FakeServer::answering([away()]).await;
    let stack = started(&public_api).await;
    let body = format!(r#"{{"type":"delete","userId":"{ADA}","messageId":"m"}}"#);
    stack.publish(&body, &[("type", "delete"), ("writeKey", "default")]).await;
    stack.publish(&body, &[("type", "delete"), ("notFor", "segment")]).await;
    stack.publish(&body, &[("type", "track"), ("writeKey", "default")]).await;
    assert_eq!(stack.deliver("RegulationDelivery").await.unwrap(), 1);
    assert!(public_api.taken().is_empty());
    deliver_until(&stack, "RegulationDelivery", || !public_api.taken().is_empty()).await;
    assert_eq!(public_api.requests().len(), 2);
    assert!(stack.queue("RegulationQueue").await.is_empty().await);
    assert!(stack.queue("RegulationDeadLetterQueue").await.is_empty().await);
    assert_eq!(used(&stack, "default").await, 2, "after a 503 Segment may have counted the user");
}

#[tokio::test]
async fn after_a_used_up_month_deletions_are_put_back_and_segment_is_not_asked() {
    let public_api = FakeServer::healthy().await;
    let stack = started(&public_api).await;
    let function = stack.function("RegulationDelivery");
    stack
        .put_item(&[
            ("id", AttributeValue::S(counter("default"))),
            ("used", AttributeValue::N("110000".to_owned())),
        ])
        .await;
    function.invoke(sample("two-users-one-twice")).await.unwrap();
    assert!(public_api.requests().is_empty());
    assert_eq!(stack.queue("RegulationQueue").await.delayed().await, 3);
}

#[tokio::test]
async fn a_message_that_no_queue_takes_is_reported_as_failed() {
    let public_api = FakeServer::start(|_| Answer::status(404)).await;
    let stack = started(&public_api).await;
    let function = stack.function("RegulationDelivery");
    function.warm().await;
    let event = sample("two-users-one-twice");
    stack.break_everything();
    let answer = function.invoke(event.as_str()).await.unwrap();
    world::assert_all_failed(&event, &answer);
}
