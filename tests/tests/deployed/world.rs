//! The setup that many tests share.

use base64::{Engine, engine::general_purpose::STANDARD};
use end_to_end::{HttpRequest, Reply, Setup, Stack, samples, tools};
use platform::clock::SystemClock;
use ring::hmac;
use serde_json::{Value, json};
use testkit::{Answer, FakeServer, postgres::PostgresServer};

/// The write keys of the samples, and others. They are not secret.
pub const WRITE_KEYS: &str = r#"{"default":"sample-write-key-not-secret","shop":"k2"}"#;

/// The secrets that authenticate the samples of identity providers.
const IDENTITY: &str = r#"{
    "hashKey": "hush",
    "fusionauth": {"signingSecrets": ["segue-sample-signing-secret-do-not-use"]},
    "auth0": {"bearer": "segue-sample-bearer-token-do-not-use"},
    "clerk": {"signingSecrets": ["whsec_c2VndWUtc2FtcGxlLXNpZ25pbmctc2VjcmV0LWRvLW5vdC11c2U="]},
    "okta": {"header": {"name": "Authorization", "value": "segue-sample-header-value-do-not-use"}},
    "keycloak": {"signingSecrets": "segue-sample-keycloak-secret-do-not-use"},
    "kinde": {"publicKeys": "PUBLIC_KEY"},
    "logto": {"signingSecrets": "segue-sample-logto-key-do-not-use"},
    "ory": {"bearer": "segue-sample-ory-token-do-not-use"},
    "stytch": {"signingSecrets": "whsec_c2VndWUtc2FtcGxlLXN0eXRjaC1zZWNyZXQtZG8tbm90LXVzZQ=="},
    "supabase": {"bearer": "segue-sample-supabase-token-do-not-use"},
    "supabase-hook": {"signingSecrets": "v1,whsec_c2VndWUtc2FtcGxlLXN1cGFiYXNlLXNlY3JldC1kby1ub3QtdXNl"},
    "workos": {"signingSecrets": "segue-sample-workos-secret-do-not-use"}
}"#;

/// The keys of the samples that are signed with a time, after decoding.
const CLERK_KEY: &[u8] = b"segue-sample-signing-secret-do-not-use";
const STYTCH_KEY: &[u8] = b"segue-sample-stytch-secret-do-not-use";
const SUPABASE_KEY: &[u8] = b"segue-sample-supabase-secret-do-not-use";
const WORKOS_KEY: &[u8] = b"segue-sample-workos-secret-do-not-use";

/// Returns the identity secret, with the public key of the samples that are a JWT.
pub fn identity() -> String {
    let key = include_str!("../../../functions/identity-webhook/tests/keys/test-rsa-2048-public.pem");
    IDENTITY.replace("PUBLIC_KEY", &key.replace('\n', "\\n"))
}

/// The secret with which webhooks check signatures.
pub const SHARED_SECRET: &str = "sample-shared-secret-not-secret";

/// Returns a stack that sends to this Segment.
pub fn setup(segment: &FakeServer) -> Setup {
    Setup::default()
        .parameter("SegmentEndpoint", segment.url())
        .secret("WriteKeysSecret", WRITE_KEYS)
        .secret("IdentitySecret", &identity())
}

/// Returns a stack whose Segment is never called.
pub fn without_segment() -> Setup {
    Setup::default().secret("WriteKeysSecret", WRITE_KEYS).secret("IdentitySecret", &identity())
}

/// Adds these webhooks on loopback.
pub fn with_webhooks(setup: Setup, webhooks: &[Value]) -> Setup {
    let secret = json!({"sharedSecret": SHARED_SECRET, "webhooks": webhooks});
    setup
        .parameter("WebhooksEnabled", "true")
        .parameter("AllowPrivateWebhooks", "true")
        .secret("WebhooksSecret", &secret.to_string())
}

/// Adds deletions through this Public API.
pub fn with_regulations(setup: Setup, public_api: &FakeServer) -> Setup {
    setup
        .parameter("PublicApiEndpoint", public_api.url())
        .given_secret("PublicApiTokenSecretArn", r#"{"default":"t1","shop":"t2"}"#)
}

/// Adds this database.
pub fn with_warehouse(setup: Setup, server: &PostgresServer) -> Setup {
    let secret = json!({"url": server.url("postgres")});
    setup.parameter("WarehouseEnabled", "true").secret("WarehouseSecret", &secret.to_string())
}

/// Adds this database with IAM authentication. The server must listen on TCP; it asks for no password.
pub fn with_warehouse_of_rds(setup: Setup, server: &PostgresServer) -> Setup {
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    setup.parameter("WarehouseEnabled", "true").parameter("WarehouseUrl", url)
}

/// Adds a Cognito user pool.
pub fn with_cognito(setup: Setup) -> Setup {
    setup.parameter(
        "CognitoUserPoolArn",
        "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_abc",
    )
}

/// Returns a stack with everything turned on.
pub fn everything() -> Setup {
    with_cognito(Setup::default())
        .parameter("WebhooksEnabled", "true")
        .parameter("WarehouseEnabled", "true")
        .parameter("WarehouseUrl", "postgres://segue@db.example.com:5432/analytics")
        .parameter("WarehouseVpcId", "vpc-0123456789abcdef1")
        .parameter("WarehouseSubnetIds", "subnet-0123456789abcdef2")
        .parameter("WarehouseSecurityGroupIds", "sg-0123456789abcdef1")
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

/// Returns a fake as a webhook in the settings.
pub fn webhook(fake: &FakeServer) -> Value {
    json!({"url": webhook_url(fake)})
}

/// Returns its URL.
pub fn webhook_url(fake: &FakeServer) -> String {
    fake.url() + "/segment"
}

/// Returns a failure that can be fixed and causes no long wait.
pub fn away() -> Answer {
    Answer::Status(503, vec![("Retry-After", "1".to_owned())], String::new())
}

/// Returns the ids of the messages that a fake took, in order and without repeats.
pub fn ids(fake: &FakeServer) -> Vec<String> {
    let taken = fake.taken().into_iter();
    let mut ids: Vec<_> = taken.map(|(_, one)| one["messageId"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Returns a sample of a function.
pub fn sample(function: &str, name: &str) -> String {
    samples(function).into_iter().find(|(candidate, _)| candidate == name).unwrap().1
}

/// Returns the golden result of an identity-webhook sample, from the function's own tests.
pub fn golden(name: &str) -> Value {
    let path = tools::root().join(format!("crates/identity/tests/golden/{name}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Sends the request in an event of API Gateway over HTTP.
pub async fn send(stack: &Stack, event: &str) -> Reply {
    stack.send(HttpRequest::of_event(event)).await
}

/// Returns a sample of identity-webhook, signed for the current minute if it needs a signature: the function
/// uses the machine's clock.
pub fn signed_now(name: &str, event: &str) -> String {
    let now = SystemClock::shared().now();
    let (key, prefix) = match name.split_once('.') {
        Some(("clerk", _)) => (CLERK_KEY, "svix"),
        Some(("stytch", _)) => (STYTCH_KEY, "svix"),
        Some(("supabase-hook", _)) => (SUPABASE_KEY, "webhook"),
        Some(("workos", _)) => (WORKOS_KEY, ""),
        _ => return event.to_owned(),
    };
    let mut event: Value = serde_json::from_str(event).unwrap();
    let body = event["body"].as_str().unwrap().to_owned();
    let sign = |content: String| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), content.as_bytes());
    if prefix.is_empty() {
        let milliseconds = now.as_millisecond();
        let tag = sign(format!("{milliseconds}.{body}"));
        let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        event["headers"]["workos-signature"] = format!("t={milliseconds}, v1={hex}").into();
        return event.to_string();
    }
    let seconds = now.as_second();
    let id = event["headers"][format!("{prefix}-id")].as_str().unwrap();
    let tag = sign(format!("{id}.{seconds}.{body}"));
    event["headers"][format!("{prefix}-signature")] = format!("v1,{}", STANDARD.encode(tag)).into();
    event["headers"][format!("{prefix}-timestamp")] = seconds.to_string().into();
    event.to_string()
}

/// Delivers the messages of a function's queue, including those that are put back, until the condition holds.
pub async fn deliver_until(stack: &Stack, function: &str, is_so: impl Fn() -> bool) {
    let what = format!("what {function} delivers");
    let round = stack.eventually(&what, async || {
        stack.deliver(function).await.unwrap();
        is_so()
    });
    round.await.unwrap();
}

/// Asserts that the answer reports every message of the batch as failed.
pub fn assert_all_failed(event: &str, answer: &str) {
    let event: Value = serde_json::from_str(event).unwrap();
    let records = event["Records"].as_array().unwrap().iter();
    let expected: Vec<Value> = records.map(|record| json!({"itemIdentifier": record["messageId"]})).collect();
    let mut answer: Value = serde_json::from_str(answer).unwrap();
    let failures = answer["batchItemFailures"].as_array_mut().unwrap();
    failures.sort_by_key(|failure| failure["itemIdentifier"].to_string());
    assert_eq!(*failures, expected);
}
