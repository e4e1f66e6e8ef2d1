//! A mapping that hashes, and settings that may be a mistake.

use identity::{Config, Mappings};
use serde_json::{Value, json};

use crate::support::{RecordingTopic, SECRET, Webhook, sample_body, signed};

fn webhook(secret: &Value, mapping: &str) -> Webhook {
    let config = Config { mappings: Mappings::with("own", mapping).unwrap(), ..Config::new("d") };
    Webhook::with(secret, config, RecordingTopic::default())
}

#[tokio::test]
async fn with_a_hash_and_no_key_nothing_is_sent_and_the_provider_is_asked_to_retry() {
    let secret = json!({"fusionauth": {"signingSecrets": SECRET}});
    let webhook = webhook(&secret, "fields.'traits.email' = 'hash'");
    let (status, answer) = webhook.send(signed(sample_body("user.create.complete"))).await;
    assert_eq!((status, answer["error"].as_str()), (503, Some("no_hash_key")), "{answer}");
    assert!(webhook.topic.bodies().is_empty());
}

#[tokio::test]
async fn a_function_logs_doubtful_settings_at_its_start() {
    let mapping = "fields.userId = 'hash'\nclerk.on.'user.update'.track = {}";
    for (secret, expected) in [
        (json!({}), "the identity secret has no hashKey"),
        (json!({"hashKey": "hush"}), "hashKey has fewer than 16 characters"),
    ] {
        testkit::log();
        webhook(&secret, mapping).handler.prepare().await;
        let log = testkit::logged();
        assert!(log.contains(expected) && log.contains("did you mean \\\"user.updated\\\"?"), "{log}");
        assert!(!log.contains("hush"), "{log}");
    }
}
