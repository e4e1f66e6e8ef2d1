//! A stack of an earlier template that becomes one of today's.

use end_to_end::{Deployment, HttpRequest};
use fakes::FakeServer;
use serde_json::{Value, json};

use super::begin;
use crate::world::{IDENTITY, SHARED_SECRET, WRITE_KEYS, away, ids, sample, webhook};

/// A template that stacks were made from.
const EARLIER: &str = "tests/stacks/0.1.0.yaml";

/// What holds something, or has an address that somebody else knows.
const LASTING: [&str; 15] = [
    "HttpApi",
    "MessageTopic",
    "SegmentQueue",
    "SegmentDeadLetterQueue",
    "WebhookQueue",
    "WebhookDeadLetterQueue",
    "RegulationQueue",
    "RegulationDeadLetterQueue",
    "RejectedQueue",
    "TrackEventFailures",
    "Ledger",
    "WriteKeysSecret",
    "IdentitySecret",
    "WebhooksSecret",
    "TrackEvent",
];

#[tokio::test]
async fn a_stack_of_an_earlier_template_keeps_what_it_holds_when_it_becomes_one_of_todays() {
    let Some((aws, release)) = begin().await else { return };
    let (segment, receiver) = (FakeServer::start(|_| away()).await, FakeServer::start(|_| away()).await);
    let (segment_url, token) = (segment.url(), aws.create_secret("token", r#"{"default":"t1"}"#).await);
    let parameters = [
        ("SegmentEndpoint", segment_url.as_str()),
        ("WebhooksEnabled", "true"),
        ("AllowPrivateWebhooks", "true"),
        ("PublicApiTokenSecretArn", &token),
    ];
    let earlier = aws.deploy("segue", &release.with_template(EARLIER), &parameters).await;
    earlier.store("WriteKeysSecret", WRITE_KEYS).await;
    earlier.store("IdentitySecret", IDENTITY).await;
    let webhooks = json!({"sharedSecret": SHARED_SECRET, "webhooks": [webhook(&receiver)]});
    earlier.store("WebhooksSecret", &webhooks.to_string()).await;
    assert_eq!(auth0_login(&earlier).await, json!({"event": "signup"}));
    let track =
        r#"{"userId":"u1","event":"Waited","messageId":"waited-1","writeKey":"sample-write-key-not-secret"}"#;
    let reply = earlier.send(HttpRequest::new("POST", "/v1/track", &[], track.as_bytes())).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    aws.eventually("Segment and the webhook refuse it", async || {
        !segment.requests().is_empty() && !receiver.requests().is_empty()
    })
    .await;

    let today = aws.deploy("segue", &release, &parameters).await;
    for name in LASTING {
        assert_eq!(today.resource(name), earlier.resource(name), "{name}");
    }
    for fake in [&segment, &receiver] {
        fake.set(|_| fakes::Answer::ok());
    }
    let waited = |fake: &FakeServer| ids(fake).iter().any(|id| id == "waited-1");
    aws.eventually("what waited is delivered", async || waited(&segment) && waited(&receiver)).await;
    assert_eq!(auth0_login(&today).await, json!({"event": "login"}), "the ledger knows the user");
}

/// What is answered to a login at Auth0.
async fn auth0_login(stack: &Deployment<'_>) -> Value {
    stack.send(HttpRequest::of_event(&sample("identity-webhook", "auth0.login.action"))).await.body
}
