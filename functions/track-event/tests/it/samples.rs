//! The sample invocations of `events/track-event`, each from input to answer.

use std::{fs, path::Path};

use serde_json::{Value, json};
use testkit::FakeServer;

use crate::setup::Job;

/// The expected values in the sample's answer and message: time, message id, user or anonymous id,
/// properties.
const SAMPLES: [(&str, &str, &str, &str); 5] = [
    (
        "anonymous-visitor",
        "2026-11-21T14:30:00.000Z",
        "video-81723",
        r#"{"duration_seconds":342,"percent_watched":95}"#,
    ),
    (
        "eventbridge-rule",
        "2026-11-21T02:00:00.000Z",
        "segue-schedule-f0905877623f0f3e61c6a920f834e59be44f8821c4675693dc9eef19a579a0b1",
        "{}",
    ),
    ("feature-used", "2026-11-21T04:05:06.000Z", "segue-52fdfc07", "{}"),
    (
        "order-completed",
        "2026-11-21T14:30:00.000Z",
        "segue-52fdfc07",
        r#"{"order_id":12345678901234567890,"product_name":"Premium Subscription","price":99.90,"currency":"USD","quantity":1}"#,
    ),
    (
        "scheduler",
        "2026-11-21T02:00:00.000Z",
        "segue-schedule-6074ac4b9c10e8df189bfaa37512d6b03950457383893d98275f29b6223e8a6d",
        r#"{"job":"nightly"}"#,
    ),
];

#[tokio::test]
async fn every_sample_reaches_segment_with_the_expected_values() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/track-event");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), SAMPLES.len(), "each sample is tested");
    let configured = json!({"user_id": "nightly-report", "event": "Schedule Ran"});
    for (name, time, message_id, properties) in SAMPLES {
        let input = fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
        let mut job = Job::new(FakeServer::healthy().await, "k1");
        job.handler = job.handler.with_scheduled_input(configured.as_object().cloned());
        let answer = job.run(&input).await.unwrap();
        let message = job.message();
        let given: Value = serde_json::from_str(&input).unwrap();
        assert_eq!(answer["timestamp"], time, "{name}");
        assert_eq!(answer["message_id"], message_id, "{name}");
        assert_eq!(answer["properties"].to_string(), properties, "{name}");
        assert_eq!(answer.get("integrations"), given.get("integrations"), "{name}");
        assert_eq!(answer["segment_response"], json!({"success": true}), "{name}");
        for (field, segments) in [
            ("user_id", "userId"),
            ("anonymous_id", "anonymousId"),
            ("event", "event"),
            ("message_id", "messageId"),
        ] {
            assert_eq!(answer.get(field), message.get(segments), "{name} {field}");
        }
    }
}
