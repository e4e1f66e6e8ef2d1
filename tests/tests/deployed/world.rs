//! What many tests begin with.

use base64::{Engine, engine::general_purpose::STANDARD};
use end_to_end::{HttpRequest, Reply, Setup, Stack, samples, tools};
use platform::clock::SystemClock;
use ring::hmac;
use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

/// The write keys that the samples come with, and others. They are no secrets.
pub const WRITE_KEYS: &str = r#"{"default":"sample-write-key-not-secret","shop":"k2"}"#;

/// What proves the samples of identity providers.
pub const IDENTITY: &str = r#"{
    "hashKey": "hush",
    "fusionauth": {"signingSecrets": ["segue-sample-signing-secret-do-not-use"]},
    "auth0": {"bearer": "segue-sample-bearer-token-do-not-use"},
    "clerk": {"signingSecrets": ["whsec_c2VndWUtc2FtcGxlLXNpZ25pbmctc2VjcmV0LWRvLW5vdC11c2U="]},
    "okta": {"header": {"name": "Authorization", "value": "segue-sample-header-value-do-not-use"}}
}"#;

/// What Clerk's secret is, once it is decoded.
const CLERK_KEY: &[u8] = b"segue-sample-signing-secret-do-not-use";

/// What webhooks check signatures with.
pub const SHARED_SECRET: &str = "sample-shared-secret-not-secret";

/// A stack before this Segment.
pub fn setup(segment: &FakeServer) -> Setup {
    Setup::default()
        .parameter("SegmentEndpoint", segment.url())
        .secret("WriteKeysSecret", WRITE_KEYS)
        .secret("IdentitySecret", IDENTITY)
}

/// A stack whose Segment nobody asks anything.
pub fn without_segment() -> Setup {
    Setup::default().secret("WriteKeysSecret", WRITE_KEYS).secret("IdentitySecret", IDENTITY)
}

/// The same with these webhooks, which are on loopback.
pub fn with_webhooks(setup: Setup, webhooks: &[Value]) -> Setup {
    let secret = json!({"sharedSecret": SHARED_SECRET, "webhooks": webhooks});
    setup
        .parameter("WebhooksEnabled", "true")
        .parameter("AllowPrivateWebhooks", "true")
        .secret("WebhooksSecret", &secret.to_string())
}

/// The same with deletion at this Public API.
pub fn with_regulations(setup: Setup, public_api: &FakeServer) -> Setup {
    setup
        .parameter("PublicApiEndpoint", public_api.url())
        .given_secret("PublicApiTokenSecretArn", r#"{"default":"t1","shop":"t2"}"#)
}

/// The same with a Cognito user pool.
pub fn with_cognito(setup: Setup) -> Setup {
    setup.parameter(
        "CognitoUserPoolArn",
        "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_abc",
    )
}

/// A stack with everything that can be turned on.
pub fn everything() -> Setup {
    with_cognito(Setup::default())
        .parameter("WebhooksEnabled", "true")
        .parameter(
            "PublicApiTokenSecretArn",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:token-AbCdEf",
        )
        .parameter("AlarmEmail", "alarms@example.com")
        .parameter("SubnetIds", "subnet-0123456789abcdef2")
        .parameter("SecurityGroupIds", "sg-0123456789abcdef1")
        .parameter("Tracing", "Active")
        .parameter("GradualDeployment", "true")
        .parameter("Door", "FunctionUrl")
        .parameter("IngestReservedConcurrency", 5)
        .parameter("BatchingWindow", 1)
}

/// A fake as a webhook of the settings.
pub fn webhook(fake: &FakeServer) -> Value {
    json!({"url": webhook_url(fake)})
}

/// Where it is.
pub fn webhook_url(fake: &FakeServer) -> String {
    fake.url() + "/segment"
}

/// A failure that can be mended, and that need not be waited for.
pub fn away() -> Answer {
    Answer::Status(503, vec![("Retry-After", "1".to_owned())], String::new())
}

/// The ids of what a fake took, in order and each once.
pub fn ids(fake: &FakeServer) -> Vec<String> {
    let taken = fake.taken().into_iter();
    let mut ids: Vec<_> = taken.map(|(_, one)| one["messageId"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// A sample of a function.
pub fn sample(function: &str, name: &str) -> String {
    samples(function).into_iter().find(|(candidate, _)| candidate == name).unwrap().1
}

/// What a sample of identity-webhook ends in, as the function's own tests hold it.
pub fn golden(name: &str) -> Value {
    let path = tools::root().join(format!("crates/identity/tests/golden/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Sends what an event of API Gateway says was sent, over HTTP.
pub async fn send(stack: &Stack, event: &str) -> Reply {
    stack.send(HttpRequest::of_event(event)).await
}

/// A sample of identity-webhook, with a signature of this minute where it must be one: the function goes by the
/// machine's clock.
pub fn signed_now(name: &str, event: &str) -> String {
    if !name.starts_with("clerk.") {
        return event.to_owned();
    }
    let mut event: Value = serde_json::from_str(event).unwrap();
    let now = SystemClock::shared().now().as_second().to_string();
    let headers = &event["headers"];
    let content = [headers["svix-id"].as_str().unwrap(), &now, event["body"].as_str().unwrap()].join(".");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, CLERK_KEY), content.as_bytes());
    event["headers"]["svix-signature"] = format!("v1,{}", STANDARD.encode(tag)).into();
    event["headers"]["svix-timestamp"] = now.into();
    event.to_string()
}

/// Delivers what is in a function's queue and comes back into it until it is so.
pub async fn deliver_until(stack: &Stack, function: &str, is_so: impl Fn() -> bool) {
    let what = format!("what {function} delivers");
    let round = stack.eventually(&what, async || {
        stack.deliver(function).await.unwrap();
        is_so()
    });
    round.await.unwrap();
}

/// The answer reports every message of the batch as failed.
pub fn assert_all_failed(event: &str, answer: &str) {
    let event: Value = serde_json::from_str(event).unwrap();
    let records = event["Records"].as_array().unwrap().iter();
    let expected: Vec<Value> = records.map(|record| json!({"itemIdentifier": record["messageId"]})).collect();
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    let failures = answer["batchItemFailures"].as_array_mut().unwrap();
    failures.sort_by_key(|failure| failure["itemIdentifier"].to_string());
    assert_eq!(*failures, expected);
}
