//! webhook-delivery.

use std::time::Duration;

use end_to_end::{Aws, Lambda, Queues, samples, tools};
use fakes::{Answer, FakeServer, Request};
use serde_json::{Map, Value, json};

/// The `webhook` attribute in the samples: the name of `https://hooks.example.com/segment`. The tests' webhooks
/// are on ports that differ from run to run, and put their own names in its place.
const SAMPLE_NAME: &str = "hooks.example.com/f0e3f6e5";

const SHARED_SECRET: &str = "sample-shared-secret-not-secret";

/// One that a webhook can mend, and that need not be waited for.
fn away() -> Answer {
    Answer::Status(503, vec![("Retry-After", "1".to_owned())], String::new())
}

/// The function before these webhooks.
pub(crate) async fn started(aws: &Aws, queues: &Queues, webhooks: &[Value], private: bool) -> Lambda {
    let settings = json!({"sharedSecret": SHARED_SECRET, "webhooks": webhooks});
    let secret = aws.secret(&settings.to_string()).await;
    let environment = [
        ("QUEUE_URL", queues.queue.as_str()),
        ("DEAD_LETTER_QUEUE_URL", &queues.dead_letters),
        ("WEBHOOKS_SECRET_ARN", &secret),
        ("ALLOW_PRIVATE_WEBHOOKS", if private { "true" } else { "false" }),
    ];
    aws.function("webhook-delivery", &environment).await
}

/// A fake as a webhook of the settings.
pub(crate) fn webhook(fake: &FakeServer) -> Value {
    json!({"url": url(fake)})
}

fn url(fake: &FakeServer) -> String {
    fake.url() + "/segment"
}

/// What that webhook is called: its host and port, and the head of its URL's SHA-256.
fn name(url: &str) -> String {
    let script = "import hashlib, sys; print(hashlib.sha256(sys.argv[1].encode()).hexdigest()[:8])";
    let host = url.split('/').nth(2).unwrap();
    format!("{host}/{}", tools::python(script, &[url]))
}

/// Whether the signature is the one that Segment's documentation tells receivers to compare with.
fn is_signed(request: &Request, signed: &str) -> bool {
    let script =
        "import hmac, sys; print(hmac.new(*[text.encode() for text in sys.argv[1:]], 'sha1').hexdigest())";
    request.header("x-signature") == Some(&tools::python(script, &[SHARED_SECRET, signed]))
}

/// What is posted of a queued message.
fn posted(message: &str) -> String {
    match serde_json::from_str::<Value>(message).unwrap()["type"] == "delete" {
        true => message.to_owned(),
        false => message.replacen('{', "{\"version\":1,", 1),
    }
}

fn sample(name: &str) -> String {
    samples("webhook-delivery").into_iter().find(|(candidate, _)| candidate == name).unwrap().1
}

/// The bodies of the queue's messages in a sample.
fn bodies(event: &str) -> Vec<String> {
    let event: Value = serde_json::from_str(event).unwrap();
    let records = event["Records"].as_array().unwrap();
    records.iter().map(|record| record["body"].as_str().unwrap().to_owned()).collect()
}

/// Invokes the function with a batch that it brings to its end.
async fn settle(function: &Lambda, event: &str) {
    let answer: Value = serde_json::from_str(&function.invoke(event).await.unwrap()).unwrap();
    assert_eq!(answer, json!({"batchItemFailures": []}), "{}", function.logs());
}

/// Polls the queue until there is a message, which stays there.
async fn next(queues: &Queues, function: &Lambda) -> (Value, Map<String, Value>) {
    for _ in 0..300 {
        if let Some(message) = queues.peek().await.pop() {
            return message;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no message came back:\n{}", function.logs());
}

/// Delivers what is in the queue and comes back into it until the webhook has got so many requests.
async fn deliver_until(queues: &Queues, function: &Lambda, fake: &FakeServer, count: usize) {
    for _ in 0..300 {
        queues.deliver(function).await.unwrap();
        if fake.requests().len() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{} of {count} requests:\n{}", fake.requests().len(), function.logs());
}

#[tokio::test]
async fn every_sample_ends_at_the_webhooks_or_in_the_dead_letter_queue() {
    let aws = Aws::start().await;
    let queues = aws.webhook_queues().await;
    let (one, two) = (FakeServer::healthy().await, FakeServer::healthy().await);
    let function = started(&aws, &queues, &[webhook(&one), webhook(&two)], true).await;
    for (sample, event) in samples("webhook-delivery") {
        let before = [one.requests().len(), two.requests().len()];
        settle(&function, &event.replace(SAMPLE_NAME, &name(&url(&one)))).await;
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
        let mut dead = queues.drain(&queues.dead_letters).await;
        if sample == "one-undecodable" {
            let (body, mut attributes) = dead.pop().unwrap();
            assert_eq!(body, messages[1].as_str());
            assert!(attributes.remove("failedAt").is_some() && attributes.remove("reason").is_some());
            let kept = json!({"failure": "invalid", "type": "track", "writeKey": "default"});
            assert_eq!(Value::Object(attributes), kept);
        }
        assert_eq!(dead, [], "{sample}");
    }
    let logs = function.logs();
    assert!(logs.contains(r#""Function":"webhook-delivery","Delivered":"#), "{logs}");
    for content in ["019mr8mf4r", "achilles", "not-secret", "/segment"] {
        assert!(!logs.contains(content), "no content in the logs: {logs}");
    }
}

#[tokio::test]
async fn the_next_round_is_for_the_webhook_that_failed_alone() {
    let aws = Aws::start().await;
    let queues = aws.webhook_queues().await;
    let (healthy, failing) = (FakeServer::healthy().await, FakeServer::answering([away()]).await);
    let function = started(&aws, &queues, &[webhook(&healthy), webhook(&failing)], true).await;
    let message = r#"{"type":"track","userId":"u1","event":"e","messageId":"m1"}"#;
    queues.send(message, &[("type", "track"), ("writeKey", "shop")]).await;
    assert_eq!(queues.deliver(&function).await.unwrap(), 1);
    assert_eq!((healthy.requests().len(), failing.requests().len()), (1, 1));
    assert_eq!(queues.delayed().await, 1, "it comes back later");

    let (body, mut attributes) = next(&queues, &function).await;
    assert_eq!(body.to_string(), message);
    assert!(attributes.remove("since").unwrap().as_str().unwrap().ends_with('Z'));
    assert!(attributes.remove("enteredAt").unwrap().as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "webhook": name(&url(&failing)), "attempts": "1", "type": "track", "writeKey": "shop",
    });
    assert_eq!(Value::Object(attributes), expected);

    deliver_until(&queues, &function, &failing, 2).await;
    assert_eq!(healthy.requests().len(), 1, "it has the message");
    let [first, second] = &failing.requests()[..] else { panic!("two requests") };
    assert_eq!((&first.body, &second.body), (&posted(message), &posted(message)));
    assert!(queues.drain(&queues.queue).await.is_empty() && queues.delayed().await == 0);
    assert!(queues.drain(&queues.dead_letters).await.is_empty());
}

#[tokio::test]
async fn a_batch_that_failed_comes_back_as_the_batch_it_was() {
    let aws = Aws::start().await;
    let queues = aws.webhook_queues().await;
    let (single, batches) = (FakeServer::healthy().await, FakeServer::answering([away()]).await);
    let webhooks = [webhook(&single), json!({"url": url(&batches), "batchSize": 10})];
    let function = started(&aws, &queues, &webhooks, true).await;
    settle(&function, &sample("one-of-each-type")).await;
    assert_eq!((single.requests().len(), batches.requests().len()), (7, 1));

    let (body, mut attributes) = next(&queues, &function).await;
    assert_eq!(body.as_array().unwrap().len(), 7);
    attributes.remove("since").unwrap();
    attributes.remove("enteredAt").unwrap();
    assert_eq!(Value::Object(attributes), json!({"webhook": name(&url(&batches)), "attempts": "1"}));

    deliver_until(&queues, &function, &batches, 2).await;
    assert_eq!(single.requests().len(), 7);
    let [first, second] = &batches.requests()[..] else { panic!("two requests") };
    assert_eq!(first.body, second.body);
    assert!(is_signed(second, &posted(&bodies(&sample("one-of-each-type"))[0])), "{second:?}");
}

#[tokio::test]
async fn a_dead_letter_says_why_and_starts_afresh_when_it_is_put_back() {
    let aws = Aws::start().await;
    let queues = aws.webhook_queues().await;
    let (healthy, refusing) = (FakeServer::healthy().await, FakeServer::start(|_| Answer::status(404)).await);
    let function = started(&aws, &queues, &[webhook(&healthy), webhook(&refusing)], true).await;
    let attributes = json!({"webhook": name(&url(&refusing)), "type": "track", "writeKey": "default"});
    let retry = sample("retry-for-one-webhook").replace(SAMPLE_NAME, &name(&url(&refusing)));

    // In its third attempt, after two that are said to have failed.
    settle(&function, &retry).await;
    let dead = queues.drain(&queues.dead_letters).await;
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

    // Once more, to leave it there until the webhook is mended, which is not at once.
    settle(&function, &retry).await;
    let mut answers = [away()].into_iter();
    refusing.set(move |_| answers.next().unwrap_or_else(Answer::ok));
    assert_eq!(queues.redrive().await, 1);
    let calls = refusing.requests().len();
    deliver_until(&queues, &function, &refusing, calls + 1).await;
    let (_, mut afresh) = next(&queues, &function).await;
    assert_ne!(afresh.remove("since").unwrap(), expected["since"]);
    afresh.remove("enteredAt").unwrap();
    let mut expected = attributes;
    expected["attempts"] = "1".into();
    assert_eq!(Value::Object(afresh), expected);

    deliver_until(&queues, &function, &refusing, calls + 2).await;
    assert!(queues.drain(&queues.dead_letters).await.is_empty() && queues.delayed().await == 0);
    assert!(healthy.requests().is_empty(), "it was never meant for the other");
}

#[tokio::test]
async fn a_message_for_a_webhook_that_is_gone_is_a_dead_letter() {
    let aws = Aws::start().await;
    let queues = aws.webhook_queues().await;
    let other = FakeServer::healthy().await;
    let function = started(&aws, &queues, &[webhook(&other)], true).await;
    settle(&function, &sample("retry-for-one-webhook")).await;
    let dead = queues.drain(&queues.dead_letters).await;
    let [(_, attributes)] = &dead[..] else { panic!("one dead letter: {dead:?}") };
    assert_eq!((&attributes["failure"], &attributes["webhook"]), (&json!("no_webhook"), &json!(SAMPLE_NAME)));
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn a_private_address_is_not_called_unless_that_is_allowed() {
    let aws = Aws::start().await;
    let queues = aws.webhook_queues().await;
    let fake = FakeServer::healthy().await;
    let function = started(&aws, &queues, &[webhook(&fake)], false).await;
    settle(&function, &sample("one-of-each-type")).await;
    let dead = queues.drain(&queues.dead_letters).await;
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
    let aws = Aws::start().await;
    let queues = aws.webhook_queues().await;
    let fake = FakeServer::healthy().await;
    let mut webhooks = vec![webhook(&fake)];
    webhooks.extend((2..=6).map(|number| json!({"url": format!("https://hooks.example.com/{number}")})));
    let function = started(&aws, &queues, &webhooks, true).await;
    let sixth = format!("webhooks[5] ({}): is one too many", name("https://hooks.example.com/6"));
    assert!(function.logs().contains(&sixth), "{}", function.logs());
    settle(&function, &sample("one-of-each-type")).await;
    assert_eq!(queues.delayed().await, 7);
    assert!(fake.requests().is_empty() && queues.drain(&queues.dead_letters).await.is_empty());
}

#[tokio::test]
async fn a_message_that_no_queue_takes_is_reported_as_failed() {
    let aws = Aws::start().await;
    let queues = aws.webhook_queues().await;
    let (healthy, failing) = (FakeServer::healthy().await, FakeServer::start(|_| away()).await);
    let function = started(&aws, &queues, &[webhook(&healthy), webhook(&failing)], true).await;
    let event = sample("one-undecodable");
    drop(aws);
    let mut answer: Value = serde_json::from_str(&function.invoke(event.clone()).await.unwrap()).unwrap();
    let failures = answer["batchItemFailures"].as_array_mut().unwrap();
    failures.sort_by_key(|failure| failure["itemIdentifier"].to_string());
    let event: Value = serde_json::from_str(&event).unwrap();
    let ids = event["Records"].as_array().unwrap().iter();
    let expected: Vec<Value> = ids.map(|record| json!({"itemIdentifier": record["messageId"]})).collect();
    assert_eq!(*failures, expected);
}
