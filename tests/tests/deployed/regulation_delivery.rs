//! regulation-delivery.

use aws_sdk_dynamodb::types::AttributeValue;
use end_to_end::{Aws, Lambda, Queues, samples};
use fakes::{Answer, FakeServer, Request};
use serde_json::{Value, json};

const SECRET: &str = r#"{"default":"t1","shop":"t2"}"#;

/// The users of the samples.
const ADA: &str = "00000000-0000-0001-0000-000000000000";
const BO: &str = "00000000-0000-0001-0000-000000000001";

async fn started(aws: &Aws, queues: &Queues, public_api: &FakeServer) -> (Lambda, String) {
    let (secret, table) = (aws.secret(SECRET).await, aws.table().await);
    let url = public_api.url();
    let environment = [
        ("QUEUE_URL", queues.queue.as_str()),
        ("DEAD_LETTER_QUEUE_URL", &queues.dead_letters),
        ("PUBLIC_API_TOKEN_SECRET_ARN", &secret),
        ("PUBLIC_API_ENDPOINT", &url),
        ("REGULATION_TYPE", "DELETE_ONLY"),
        ("LEDGER_TABLE", &table),
    ];
    (aws.function("regulation-delivery", &environment).await, table)
}

/// The token and the users of a request.
fn asked(request: &Request) -> (String, Value) {
    let token = request.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned();
    (token, request.json()["subjectIds"].clone())
}

fn sample(name: &str) -> String {
    samples("regulation-delivery").into_iter().find(|(candidate, _)| candidate == name).unwrap().1
}

/// The item that counts this month's users of a token.
#[allow(clippy::disallowed_methods, reason = "the function in its own process has the machine's clock")]
fn counter(token: &str) -> String {
    format!("quota#regulations#{token}#{}", &jiff::Timestamp::now().to_string()[..7])
}

/// How many they are.
async fn used(aws: &Aws, table: &str, token: &str) -> u64 {
    let item = aws.item(table, &counter(token)).await;
    item.get("used").map_or(0, |used| used.as_n().unwrap().parse().unwrap())
}

#[tokio::test]
async fn every_sample_ends_at_the_public_api_or_in_the_dead_letter_queue() {
    let aws = Aws::start().await;
    let queues = aws.regulation_queues().await;
    let public_api = FakeServer::healthy().await;
    let (function, table) = started(&aws, &queues, &public_api).await;
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
            "one-undecodable" => (vec![asked("t1", &[ADA])], 2),
            other => panic!("no expectation for {other}"),
        };
        assert_eq!(requests, expected, "{name}");
        let dead_letters = queues.drain(&queues.dead_letters).await;
        assert_eq!(dead_letters.len(), dead, "{name}");
        assert!(dead_letters.iter().all(|(_, attributes)| attributes["failure"] == "invalid"), "{name}");
    }
    assert_eq!((used(&aws, &table, "default").await, used(&aws, &table, "shop").await), (4, 1));
    let logs = function.logs();
    assert!(logs.contains(r#""Function":"regulation-delivery","Delivered":"#), "{logs}");
    for content in [ADA, BO, "t1", "subjectIds"] {
        assert!(!logs.contains(&format!("\"{content}\"")), "no content in the logs: {logs}");
    }
}

#[tokio::test]
async fn a_published_deletion_waits_for_a_public_api_that_is_away_and_nothing_else_comes() {
    let aws = Aws::start().await;
    let queues = aws.regulation_queues().await;
    let away = Answer::Status(503, vec![("Retry-After", "1".to_owned())], String::new());
    let public_api = FakeServer::answering([away]).await;
    let (function, table) = started(&aws, &queues, &public_api).await;
    let body = format!(r#"{{"type":"delete","userId":"{ADA}","messageId":"m"}}"#);
    aws.publish(&queues.topic, &body, &[("type", "delete"), ("writeKey", "default")]).await;
    aws.publish(&queues.topic, &body, &[("type", "delete"), ("notForSegment", "true")]).await;
    aws.publish(&queues.topic, &body, &[("type", "track"), ("writeKey", "default")]).await;
    assert_eq!(queues.deliver(&function).await.unwrap(), 1);
    assert!(public_api.taken().is_empty());
    let mut rounds = 0;
    while public_api.taken().is_empty() {
        queues.deliver(&function).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        rounds += 1;
        assert!(rounds < 300, "{}", function.logs());
    }
    assert_eq!(public_api.requests().len(), 2);
    assert!(queues.drain(&queues.queue).await.is_empty() && queues.delayed().await == 0);
    assert!(queues.drain(&queues.dead_letters).await.is_empty());
    assert_eq!(used(&aws, &table, "default").await, 2, "after a 503 Segment may have counted the user");
}

#[tokio::test]
async fn a_used_up_month_puts_deletions_back_and_asks_segment_nothing() {
    let aws = Aws::start().await;
    let queues = aws.regulation_queues().await;
    let public_api = FakeServer::healthy().await;
    let (function, table) = started(&aws, &queues, &public_api).await;
    aws.put_item(
        &table,
        &[("id", AttributeValue::S(counter("default"))), ("used", AttributeValue::N("110000".to_owned()))],
    )
    .await;
    function.invoke(sample("two-users-one-twice")).await.unwrap();
    assert!(public_api.requests().is_empty());
    assert_eq!(queues.delayed().await, 3);
}

#[tokio::test]
async fn a_message_that_no_queue_takes_is_reported_as_failed() {
    let aws = Aws::start().await;
    let queues = aws.regulation_queues().await;
    let public_api = FakeServer::start(|_| Answer::status(404)).await;
    let (function, _) = started(&aws, &queues, &public_api).await;
    let event = sample("two-users-one-twice");
    let ids: Vec<Value> = serde_json::from_str::<Value>(&event).unwrap()["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| json!({"itemIdentifier": record["messageId"]}))
        .collect();
    drop(aws);
    let mut answer: Value = serde_json::from_str(&function.invoke(event).await.unwrap()).unwrap();
    let failures = answer["batchItemFailures"].as_array_mut().unwrap();
    failures.sort_by_key(|failure| failure["itemIdentifier"].to_string());
    assert_eq!(*failures, ids);
}
