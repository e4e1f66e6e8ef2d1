//! webhook-delivery.

use end_to_end::{Function, Stack, samples, tools};
use serde_json::{Map, Value, json};
use testkit::{Answer, FakeServer, Request};

use crate::world::{self, SHARED_SECRET, away, deliver_until, webhook, webhook_url as url};

/// The `webhook` attribute in the samples: the name of `https://hooks.example.com/segment`. The test's
/// webhooks have different ports in each run, so the tests replace this name.
const SAMPLE_NAME: &str = "hooks.example.com/f0e3f6e5";

/// Returns a stack with these webhooks.
async fn started(webhooks: &[Value]) -> Stack {
    let stack = world::with_webhooks(world::without_segment(), webhooks).up().await;
    stack.function("WebhookDelivery").warm().await;
    stack
}

/// Returns a webhook's name: its host and port, and the first digits of its URL's SHA-256.
fn name(url: &str) -> String {
    let script = "import hashlib, sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest()[:8])";
    let host = url.split('/').nth(2).unwrap();
    format!("{host}/{}", tools::python(script, &[url], ""))
}

/// Whether the signature is the one that Segment's documentation tells receivers to compare.
fn is_signed(request: &Request, signed: &str) -> bool {
    let script =
        "import hmac, sys; print(hmac.new(*[text.encode() for text in sys.argv[1:]], 'sha1').hexdigest())";
    request.header("x-signature") == Some(&tools::python(script, &[SHARED_SECRET, signed], ""))
}

/// Returns the body that is posted for a queued message.
fn posted(message: &str) -> String {
    match serde_json::from_str::<Value>(message).unwrap()["type"] == "delete" {
        true => message.to_owned(),
        false => message.replacen('{', "{\"version\":1,", 1),
    }
}

fn sample(name: &str) -> String {
    world::sample("webhook-delivery", name)
}

/// Returns the bodies of the queue's messages in a sample.
fn bodies(event: &str) -> Vec<String> {
    let event: Value = serde_json::from_str(event).unwrap();
    let records = event["Records"].as_array().unwrap();
    records.iter().map(|record| record["body"].as_str().unwrap().to_owned()).collect()
}

/// Invokes the function with a batch that it settles.
async fn settle(function: &Function, event: &str) {
    let answer: Value = serde_json::from_str(&function.invoke(event).await.unwrap()).unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}), "{}", function.logs());
}

/// Waits until there is a message in the queue. It stays there.
async fn next(stack: &Stack) -> (Value, Map<String, Value>) {
    let queue = stack.queue("WebhookQueue").await;
    let mut message = None;
    let came = stack.eventually("a message that comes back", async || {
        message = queue.peek().await.pop();
        message.is_some()
    });
    came.await.unwrap();
    message.unwrap()
}

#[tokio::test]
async fn every_sample_ends_at_the_webhooks_or_in_the_dead_letter_queue() {
    let (one, two) = (FakeServer::healthy().await, FakeServer::healthy().await);
    let stack = started(&[webhook(&one), webhook(&two)]).await;
    let function = stack.function("WebhookDelivery");
    for (sample, event) in samples("webhook-delivery") {
        let before = [one.requests().len(), two.requests().len()];
        settle(function, &event.replace(SAMPLE_NAME, &name(&url(&one)))).await;
        let messages = bodies(&event);
        let posted: Vec<String> = match sample.as_str() {
            "one-of-each-type" | "retry-for-one-webhook" => messages.iter().map(|one| posted(one)).collect(),
            "one-undecodable" => [&messages[0], &messages[2]].map(|one| posted(one)).to_vec(),
            "batch-for-one-webhook" => vec![messages[0].replace("{\"type\"", "{\"version\":1,\"type\"")],
            other => panic!("no expectation for {other}"),
        };
        for (fake, before, wants) in [(&one, before[0], true), (&two, before[1], sample.starts_with("one-"))]
        {
            let mut got = fake.requests()[before..].to_vec();
            got.sort_by_key(|request| posted.iter().position(|body| *body == request.body));
            let expected = if wants { &posted[..] } else { &[] };
            assert!(got.iter().map(|request| &request.body).eq(expected), "{sample}: {got:#?}");
            for request in got {
                let first = &request.messages()[0];
                let signed =
                    if request.body.starts_with('[') { first.to_string() } else { request.body.clone() };
                assert!(is_signed(&request, &signed), "{sample}: {request:?}");
                assert_eq!(request.line, "POST /segment");
                assert_eq!(request.header("content-type"), Some("application/json"));
                assert_eq!(request.header("user-agent"), Some("Segment.io/1.0"));
            }
        }
        let mut dead = stack.queue("WebhookDeadLetterQueue").await.drain().await;
        if sample == "one-undecodable" {
            let (body, mut attributes) = dead.pop().unwrap();
            assert_eq!(body, messages[1].as_str());
            assert!(attributes.remove("failedAt").is_some() && attributes.remove("reason").is_some());
            let kept = json!({"failure": "invalid", "type": "track", "writeKey": "default"});
            assert_eq!(Value::Object(attributes), kept);
        }
        assert_eq!(dead, [], "{sample}");
    }
    assert!(stack.metric("Delivered", "webhook-delivery", None) > 0.0);
    let logs = function.logs();
    for content in ["019mr8mf4r", "achilles", "not-secret", "/segment"] {
        assert!(!logs.contains(content), "no content in the logs: {logs}");
    }
}

#[tokio::test]
async fn the_next_attempt_is_only_for_the_webhook_that_failed() {
    let (healthy, failing) = (FakeServer::healthy().await, FakeServer::answering([away()]).await);
    let stack = started(&[webhook(&healthy), webhook(&failing)]).await;
    let message = r#"{"type":"track","userId":"u1","event":"e","messageId":"m1"}"#;
    stack.queue("WebhookQueue").await.send(message, &[("type", "track"), ("writeKey", "shop")]).await;
    assert_eq!(stack.deliver("WebhookDelivery").await.unwrap(), 1);
    assert_eq!((healthy.requests().len(), failing.requests().len()), (1, 1));
    assert_eq!(stack.queue("WebhookQueue").await.delayed().await, 1, "it comes back later");

    let (body, mut attributes) = next(&stack).await;
    assert_eq!(body.to_string(), message);
    for time in ["since", "enteredAt"] {
        assert!(attributes.remove(time).unwrap().as_str().unwrap().ends_with('Z'));
    }
    let expected = json!({
        "webhook": name(&url(&failing)), "attempts": "1", "type": "track", "writeKey": "shop",
    });
    assert_eq!(Value::Object(attributes), expected);

    deliver_until(&stack, "WebhookDelivery", || failing.requests().len() >= 2).await;
    assert_eq!(healthy.requests().len(), 1, "it has the message");
    let [first, second] = &failing.requests()[..] else { panic!("two requests") };
    assert_eq!((&first.body, &second.body), (&posted(message), &posted(message)));
    assert!(stack.queue("WebhookQueue").await.is_empty().await);
    assert!(stack.queue("WebhookDeadLetterQueue").await.is_empty().await);
}

#[tokio::test]
async fn a_batch_that_failed_comes_back_as_the_same_batch() {
    let (single, batches) = (FakeServer::healthy().await, FakeServer::answering([away()]).await);
    let webhooks = [webhook(&single), json!({"url": url(&batches), "batchSize": 10})];
    let stack = started(&webhooks).await;
    let function = stack.function("WebhookDelivery");
    settle(function, &sample("one-of-each-type")).await;
    assert_eq!((single.requests().len(), batches.requests().len()), (7, 1));

    let (body, mut attributes) = next(&stack).await;
    assert_eq!(body.as_array().unwrap().len(), 7);
    attributes.remove("since").unwrap();
    attributes.remove("enteredAt").unwrap();
    assert_eq!(Value::Object(attributes), json!({"webhook": name(&url(&batches)), "attempts": "1"}));

    deliver_until(&stack, "WebhookDelivery", || batches.requests().len() >= 2).await;
    assert_eq!(single.requests().len(), 7);
    let [first, second] = &batches.requests()[..] else { panic!("two requests") };
    assert_eq!(first.body, second.body);
    assert!(is_signed(second, &posted(&bodies(&sample("one-of-each-type"))[0])), "{second:?}");
}

#[tokio::test]
async fn a_dead_letter_has_its_reason_and_starts_afresh_after_a_redrive() {
    let (healthy, refusing) = (FakeServer::healthy().await, FakeServer::start(|_| Answer::status(404)).await);
    let stack = started(&[webhook(&healthy), webhook(&refusing)]).await;
    let function = stack.function("WebhookDelivery");
    let attributes = json!({"webhook": name(&url(&refusing)), "type": "track", "writeKey": "default"});
    let retry = sample("retry-for-one-webhook").replace(SAMPLE_NAME, &name(&url(&refusing)));

    // Its third attempt, after two that failed according to its attributes.
    settle(function, &retry).await;
    let dead = stack.queue("WebhookDeadLetterQueue").await.drain().await;
    let [(message, dead)] = &dead[..] else { panic!("one dead letter: {dead:?}") };
    assert_eq!(message.to_string(), bodies(&retry)[0]);
    let mut dead = dead.clone();
    assert!(dead.remove("failedAt").unwrap().as_str().unwrap().ends_with('Z'));
    let mut expected = attributes.clone();
    for (name, value) in [
        ("failure", "client_error"),
        ("reason", "the webhook answered 404; check its URL"),
        ("status", "404"),
        ("attempts", "3"),
        ("since", "2026-11-21T08:00:00.000Z"),
    ] {
        expected[name] = value.into();
    }
    assert_eq!(Value::Object(dead), expected);

    // Once more, so that it stays there until the webhook is fixed.
    settle(function, &retry).await;
    let mut answers = [away()].into_iter();
    refusing.set(move |_| answers.next().unwrap_or_else(Answer::ok));
    assert_eq!(
        stack.queue("WebhookDeadLetterQueue").await.redrive(&stack.queue("WebhookQueue").await).await,
        1
    );
    let calls = refusing.requests().len();
    deliver_until(&stack, "WebhookDelivery", || refusing.requests().len() > calls).await;
    let (_, mut afresh) = next(&stack).await;
    assert_ne!(afresh.remove("since").unwrap(), expected["since"]);
    afresh.remove("enteredAt").unwrap();
    let mut expected = attributes;
    expected["attempts"] = "1".into();
    assert_eq!(Value::Object(afresh), expected);

    deliver_until(&stack, "WebhookDelivery", || refusing.requests().len() >= calls + 2).await;
    assert!(
        stack.queue("WebhookDeadLetterQueue").await.is_empty().await
            && stack.queue("WebhookQueue").await.is_empty().await
    );
    assert!(healthy.requests().is_empty(), "it was never meant for the other");
}

#[tokio::test]
async fn a_message_for_a_removed_webhook_is_a_dead_letter() {
    let other = FakeServer::healthy().await;
    let stack = started(&[webhook(&other)]).await;
    let function = stack.function("WebhookDelivery");
    settle(function, &sample("retry-for-one-webhook")).await;
    let dead = stack.queue("WebhookDeadLetterQueue").await.drain().await;
    let [(_, attributes)] = &dead[..] else { panic!("one dead letter: {dead:?}") };
    assert_eq!((&attributes["failure"], &attributes["webhook"]), (&json!("no_webhook"), &json!(SAMPLE_NAME)));
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_private_address_is_called_only_if_that_is_allowed() {
    let fake = FakeServer::healthy().await;
    let setup = world::with_webhooks(world::without_segment(), &[webhook(&fake)]);
    let stack = setup.parameter("AllowPrivateWebhooks", "false").up().await;
    let function = stack.function("WebhookDelivery");
    settle(function, &sample("one-of-each-type")).await;
    let dead = stack.queue("WebhookDeadLetterQueue").await.drain().await;
    assert_eq!(dead.len(), 7);
    for (_, attributes) in dead {
        assert_eq!(attributes["failure"], "blocked");
        assert_eq!(attributes["webhook"], name(&url(&fake)));
        assert_eq!(attributes["attempts"], "1");
        for name in ["reason", "since", "failedAt"] {
            assert!(attributes.contains_key(name), "{name}: {attributes:?}");
        }
    }
    assert!(fake.requests().is_empty());
}

#[tokio::test]
async fn a_sixth_webhook_is_named_in_the_log_and_messages_stay() {
    let fake = FakeServer::healthy().await;
    let mut webhooks = vec![webhook(&fake)];
    webhooks.extend((2..=6).map(|number| json!({"url": format!("https://hooks.example.com/{number}")})));
    let stack = started(&webhooks).await;
    let function = stack.function("WebhookDelivery");
    let sixth = format!("webhooks[5] ({}): is one too many", name("https://hooks.example.com/6"));
    assert!(function.logs().contains(&sixth), "{}", function.logs());
    settle(function, &sample("one-of-each-type")).await;
    assert_eq!(stack.queue("WebhookQueue").await.delayed().await, 7);
    assert!(fake.requests().is_empty() && stack.queue("WebhookDeadLetterQueue").await.is_empty().await);
}

#[tokio::test]
async fn a_message_that_no_queue_takes_is_reported_as_failed() {
    let (healthy, failing) = (FakeServer::healthy().await, FakeServer::start(|_| away()).await);
    let stack = started(&[webhook(&healthy), webhook(&failing)]).await;
    let function = stack.function("WebhookDelivery");
    let event = sample("one-undecodable");
    stack.break_everything();
    let answer = function.invoke(event.as_str()).await.unwrap();
    world::assert_all_failed(&event, &answer);
}
