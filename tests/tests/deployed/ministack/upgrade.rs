//! An upgrade from an earlier template to the current one.

use std::fs;

use end_to_end::{Deployment, HttpRequest};
use serde_json::{Value, json};
use testkit::FakeServer;

use super::{auth0_login, begin};
use crate::world::{SHARED_SECRET, WRITE_KEYS, away, identity, ids, webhook};

/// A template of existing stacks.
const EARLIER: &str = "tests/stacks/0.1.0.yaml";

/// Resources that hold data or have an address that others know.
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
async fn a_stack_of_an_earlier_template_keeps_its_data_when_it_is_upgraded() {
    let Some((aws, release)) = begin().await else { return };
    let (segment, receiver) = (FakeServer::start(|_| away()).await, FakeServer::start(|_| away()).await);
    let (segment_url, token) = (segment.url(), aws.create_secret("token", r#"{"default":"t1"}"#).await);
    let parameters = [
        ("SegmentEndpoint", segment_url.as_str()),
        ("WebhooksEnabled", "true"),
        ("AllowPrivateWebhooks", "true"),
        ("PublicApiTokenSecretArn", &token),
        ("AlarmEmail", "operator@example.com"),
        ("Tracing", "Active"),
        // SAM removes two of each three backslashes.
        ("Mappings", "[fields]\n'traits.email' = \"hash\"\n# \\\\\\\" and \\\\\\' and \u{fc}"),
    ];
    let earlier = aws.deploy("segue", &release.with_template(EARLIER), &parameters).await;
    earlier.store("WriteKeysSecret", WRITE_KEYS).await;
    earlier.store("IdentitySecret", &identity()).await;
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

    let mapping = async |stack: &Deployment<'_>| {
        let live = stack.live("IdentityWebhook").await;
        live["Environment"]["Variables"]["MAPPINGS"].as_str().unwrap().to_owned()
    };
    let mapped = mapping(&earlier).await;
    assert!(mapped.ends_with("\n# \\\" and \\' and \u{fc}"), "{mapped}");

    let failing = release.clone().edited(|template| template["Resources"]["Failing"] = failing());
    assert!(aws.try_deploy("segue", &failing, &parameters).await.is_err());
    let rolled_back = aws.deployment("segue").await;
    assert_takes_messages(&rolled_back, &earlier).await;
    assert_eq!(auth0_login(&rolled_back).await, json!({"event": "login"}));

    // A new clone has no file of parameters yet.
    fs::remove_file(aws.parameters_file("segue")).unwrap();
    let asked = aws.make_deploy("segue", &release, &parameters).await.err().unwrap();
    assert!(asked.contains("parameters.yaml is written"), "{asked}");
    let today = aws.make_deploy("segue", &release, &parameters).await.unwrap();
    assert_takes_messages(&today, &earlier).await;
    assert_eq!(mapping(&today).await, mapped, "the file that make wrote holds it");
    for fake in [&segment, &receiver] {
        fake.set(|_| testkit::Answer::ok());
    }
    let waited = |fake: &FakeServer| ids(fake).iter().any(|id| id == "waited-1");
    aws.eventually("what waited is delivered", async || waited(&segment) && waited(&receiver)).await;
    assert_eq!(auth0_login(&today).await, json!({"event": "login"}), "the ledger knows the user");
}

/// An alarm that cannot be created, which fails after the queues' policies and subscriptions were created.
fn failing() -> Value {
    json!({
        "Type": "AWS::CloudWatch::Alarm",
        "DependsOn": ["SegmentSubscription", "WebhookSubscription", "RegulationSubscription"],
        "Properties": {"Namespace": "AWS/SQS", "MetricName": "NumberOfMessagesSent"},
    })
}

/// Asserts that all lasting resources are the same, and that the topic may send to each of its queues and
/// dead-letter queues.
async fn assert_takes_messages(stack: &Deployment<'_>, before: &Deployment<'_>) {
    for name in LASTING {
        assert_eq!(stack.resource(name), before.resource(name), "{name}");
    }
    for queue in ["Segment", "Webhook", "Regulation"] {
        for queue in [format!("{queue}Queue"), format!("{queue}DeadLetterQueue")] {
            assert!(stack.lets_topic_into(&queue).await, "{queue}");
        }
    }
}
