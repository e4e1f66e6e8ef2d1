//! The changes to a message on its way.

use platform::topic::{for_segment, for_webhooks};
use serde_json::{Value, json};

use crate::support::{Api, NOW, request, success};

async fn published(path: &str, body: &str) -> Value {
    let api = Api::new();
    assert_eq!(api.send(request(path, body.to_owned())).await, success(), "{body}");
    api.messages().remove(0)
}

#[tokio::test]
async fn a_message_keeps_everything_and_gets_its_missing_fields() {
    let api = Api::new();
    let body = r#"{"zip":1e-400,"userId":"u","writeKey":"k1","event":"e","1":{"b":1.0,"a":null},"messageId":"m","timestamp":"2026-11-20T00:00:00Z"}"#;
    assert_eq!(api.send(request("/v1/track", body)).await, success());
    let expected = r#"{"zip":1e-400,"userId":"u","event":"e","1":{"b":1.0,"a":null},"messageId":"m","timestamp":"2026-11-20T00:00:00.000Z","type":"track","sentAt":"2026-11-21T08:00:00.000Z","originalTimestamp":"2026-11-20T00:00:00.000Z","receivedAt":"2026-11-21T08:00:00.000Z","version":1,"channel":"server"}"#;
    assert_eq!(api.bodies(), [expected]);
}

#[tokio::test]
async fn a_message_without_an_id_gets_one() {
    let id = published("/v1/page", r#"{"userId":"u"}"#).await["messageId"].clone();
    let id = id.as_str().unwrap();
    assert!(id.starts_with("segue-") && id.len() == 38, "{id}");
    assert_ne!(published("/v1/page", r#"{"userId":"u"}"#).await["messageId"], *id);
    assert_eq!(published("/v1/page", r#"{"userId":"u","messageId":"m"}"#).await["messageId"], "m");
}

#[tokio::test]
async fn the_skew_of_the_senders_clock_is_removed() {
    let single = r#"{"userId":"u","timestamp":"2026-11-21T08:59:50Z","sentAt":"2026-11-21T09:00:00Z"}"#;
    let batch = r#"{"batch":[{"type":"page","userId":"u","timestamp":"2026-11-21T08:59:50Z"}],"sentAt":"2026-11-21T09:00:00Z"}"#;
    for (path, body) in [("/v1/page", single), ("/v1/batch", batch)] {
        let message = published(path, body).await;
        assert_eq!(message["timestamp"], "2026-11-21T07:59:50.000Z", "{path}");
        assert_eq!(message["originalTimestamp"], "2026-11-21T08:59:50.000Z", "{path}");
        assert_eq!(message["sentAt"], "2026-11-21T09:00:00.000Z", "{path}");
        assert_eq!(message["receivedAt"], NOW, "{path}");
    }
}

#[tokio::test]
async fn fields_of_a_batch_apply_to_its_messages() {
    let body = r#"{
        "batch": [{"type":"page","userId":"u","context":{"app":{"name":"own"}},"integrations":{"All":true}}],
        "context": {"app":{"name":"a","build":1.50},"locale":"en"},
        "integrations": {"All":false,"Webhooks":false}
    }"#;
    let message = published("/v1/batch", body).await;
    assert_eq!(message["context"].to_string(), r#"{"app":{"name":"own","build":1.50},"locale":"en"}"#);
    assert_eq!(message["integrations"], json!({"All": true, "Webhooks": false}));
}

#[tokio::test]
async fn integrations_say_where_a_message_goes() {
    for (integrations, segment, webhooks) in [
        (json!({}), true, true),
        (json!({"All": false}), true, false),
        (json!({"All": false, "Webhooks": true}), true, true),
        (json!({"Segment.io": false}), false, true),
    ] {
        let api = Api::new();
        let body = json!({"batch": [{"type": "page", "userId": "u"}], "integrations": integrations});
        assert_eq!(api.post("/v1/batch", &body).await, success());
        let attributes = api.attributes().remove(0);
        assert_eq!((for_segment(&attributes), for_webhooks(&attributes)), (segment, webhooks), "{body}");
    }
}

#[tokio::test]
async fn a_lone_surrogate_does_not_cost_a_message() {
    let message = published("/v1/track", r#"{"userId":"u","event":"cut \ud83d"}"#).await;
    assert_eq!(message["event"], "cut \u{fffd}");
}
