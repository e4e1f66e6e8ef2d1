//! Publishing to SNS.

use std::time::Duration;

use platform::{
    aws::SnsTopic,
    topic::{Attributes, Publication, Topic},
};

use crate::service::{Requests, start};

const ARN: &str = "arn:aws:sns:eu-central-1:123456789012:MessageTopic";

fn publication(body: impl Into<String>) -> Publication {
    Publication { body: body.into(), attributes: Attributes::from([("type".into(), "track".into())]) }
}

/// Returns SNS's answer to a batch: each entry is taken, except those for which `failure` returns a code.
fn answer(request: &str, failure: impl Fn(&str) -> Option<&'static str>) -> Option<(u16, String)> {
    let (mut taken, mut failed) = (String::new(), String::new());
    for id in ids(request) {
        match failure(&id) {
            None => taken += &format!("<member><Id>{id}</Id><MessageId>m</MessageId></member>"),
            Some(code) => {
                let sender = code.starts_with("Invalid");
                failed += &format!(
                    "<member><Id>{id}</Id><Code>{code}</Code><SenderFault>{sender}</SenderFault></member>"
                );
            }
        }
    }
    let result = format!("<Successful>{taken}</Successful><Failed>{failed}</Failed>");
    let result = format!("<PublishBatchResult>{result}</PublishBatchResult>");
    Some((200, format!("<PublishBatchResponse>{result}</PublishBatchResponse>")))
}

/// Returns the ids of a request's entries.
fn ids(request: &str) -> Vec<String> {
    values(request, ".Id=")
}

fn values(request: &str, field: &str) -> Vec<String> {
    let parts = request.split('&').filter(|part| part.starts_with("PublishBatchRequestEntries.member."));
    parts.filter_map(|part| Some(part.split_once(field)?.1.to_owned())).collect()
}

async fn topic(
    failure: impl Fn(usize, &str) -> Option<&'static str> + Send + Sync + 'static,
) -> (SnsTopic, Requests) {
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let (aws, requests) = start(move |request| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        answer(request, |id| failure(call, id))
    })
    .await;
    (aws.topic(ARN), requests)
}

#[tokio::test]
async fn messages_are_published_in_as_few_calls_as_fit() {
    let (topic, requests) = topic(|_, _| None).await;
    topic.publish((0..23).map(|n| publication(n.to_string())).collect()).await.unwrap();
    let mut sizes: Vec<usize> = requests.lock().unwrap().iter().map(|request| ids(request).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 10, 10]);
    let bodies = |request: &String| values(request, ".Message=");
    let mut all: Vec<usize> =
        requests.lock().unwrap().iter().flat_map(bodies).map(|body| body.parse().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..23).collect::<Vec<_>>(), "nothing lost, nothing twice");
    topic.publish(Vec::new()).await.unwrap();
    assert_eq!(requests.lock().unwrap().len(), 3, "nothing to publish is no call");
}

#[tokio::test]
async fn large_messages_are_packed_by_size_and_attributes_go_along() {
    let (topic, requests) = topic(|_, _| None).await;
    topic.publish(vec![publication("x".repeat(32 * 1024)); 10]).await.unwrap();
    let mut sizes: Vec<usize> = requests.lock().unwrap().iter().map(|request| ids(request).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 7]);
    let first = requests.lock().unwrap()[0].clone();
    assert!(first.contains("member.1.MessageAttributes.entry.1.Name=type"), "{}", &first[..400]);
    assert!(first.contains("Value.StringValue=track"));
}

#[tokio::test]
async fn only_the_entries_that_failed_are_published_again() {
    let (topic, requests) = topic(|call, id| (call == 0 && id == "1").then_some("InternalError")).await;
    topic.publish(vec![publication("a"), publication("b"), publication("c")]).await.unwrap();
    let asked: Vec<Vec<String>> =
        requests.lock().unwrap().iter().map(|request| values(request, ".Message=")).collect();
    assert_eq!(asked, [vec!["a", "b", "c"], vec!["b"]]);
}

#[tokio::test]
async fn an_entry_that_keeps_failing_is_an_error() {
    let (topic, requests) = topic(|_, id| (id == "0").then_some("InternalError")).await;
    let error = topic.publish(vec![publication("a"), publication("b")]).await.unwrap_err();
    assert_eq!(error.0.to_string(), "SNS refused 1 messages, the first with InternalError");
    assert_eq!(requests.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn an_entry_that_is_our_fault_is_an_error_at_once() {
    let (topic, requests) = topic(|_, _| Some("InvalidParameter")).await;
    assert!(topic.publish(vec![publication("a")]).await.is_err());
    assert_eq!(requests.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refused_call_is_an_error() {
    let (aws, _) = start(|_| {
        Some((403, "<ErrorResponse><Error><Code>AuthorizationError</Code></Error></ErrorResponse>".into()))
    })
    .await;
    let error = aws.topic(ARN).publish(vec![publication("a")]).await.unwrap_err();
    assert!(platform::telemetry::Chain(&error).to_string().contains("the call to SNS failed"), "{error:?}");
}

#[tokio::test]
async fn the_deadline_ends_a_call_that_hangs() {
    let (aws, _) = start(|_| None).await;
    let topic = aws.topic(ARN).with_deadline(Duration::from_millis(50));
    let error = topic.publish(vec![publication("a")]).await.unwrap_err();
    assert_eq!(error.0.to_string(), "SNS did not answer within 50ms");
}

#[tokio::test]
async fn a_topic_that_cannot_be_warmed_up_stops_nothing() {
    let (aws, requests) = start(|_| Some((403, String::new()))).await;
    aws.topic(ARN).warm().await;
    assert!(requests.lock().unwrap()[0].contains("Action=GetTopicAttributes"));
}
