//! tracking-api.

use end_to_end::{Setup, samples};
use serde_json::{Value, json};

use crate::world::{self, sample, send};

#[tokio::test]
async fn every_sample_gets_its_answer_and_its_messages_are_in_the_queue() {
    let stack = world::without_segment().up().await;
    let queue = stack.queue("SegmentQueue").await;
    for (name, event) in samples("tracking-api") {
        let reply = send(&stack, &event).await;
        let mut queued = queue.drain().await;
        queued.sort_by_key(|(message, _)| message["messageId"].to_string());
        let mut ids = Vec::new();
        for (message, attributes) in queued {
            let expected = json!({"type": message["type"], "writeKey": "default"});
            assert_eq!(Value::Object(attributes), expected, "{name}");
            assert!(message["receivedAt"].is_string() && message["writeKey"].is_null(), "{name}: {message}");
            ids.push(message["messageId"].as_str().unwrap().rsplit('-').next().unwrap().to_owned());
        }
        let ids: Vec<&str> = ids.iter().map(|id| id.trim_start_matches('0')).collect();
        let (expected_status, expected_ids) = match name.as_str() {
            "track" => (200, vec!["1"]),
            "batch-gzip" => (200, vec!["2", "3", "4"]),
            "beacon" => (200, vec!["5"]),
            "batch-one-invalid" => (200, vec!["6", "8"]),
            "pixel" => (200, vec!["9"]),
            other => panic!("no expectation for {other}"),
        };
        assert_eq!((reply.status, ids), (expected_status, expected_ids), "{name}: {reply:?}");
        match name.as_str() {
            "pixel" => assert_eq!(reply.headers["content-type"], "image/gif"),
            "batch-one-invalid" => {
                let (accepted, invalid) = (&reply.body["accepted"], &reply.body["invalid"][0]["index"]);
                assert_eq!((accepted, invalid), (&json!(2), &json!(1)), "{name}");
            }
            _ => assert_eq!(reply.body, json!({"success": true}), "{name}"),
        }
        if name != "pixel" {
            assert_eq!(reply.headers["access-control-allow-origin"], "*", "{name}");
        }
    }
    assert_eq!(stack.metric("Accepted", "tracking-api", None), 8.0);
    let rejected = stack.queue("RejectedQueue").await.drain().await;
    let [(message, attributes)] = rejected.as_slice() else { panic!("{rejected:?}") };
    assert!(message.get("writeKey").is_none() && message["type"] == "track", "as it came: {message}");
    let told = ["field", "problem", "writeKey"].map(|name| attributes[name].as_str().unwrap());
    assert_eq!(told, ["event", "is missing", "default"]);
    let logs = stack.function("TrackingApi").logs();
    assert!(!logs.contains("not-secret") && !logs.contains("8f14e45f"), "no content in the logs: {logs}");
}

#[tokio::test]
async fn a_browser_may_send_after_a_preflight() {
    let stack = world::without_segment().up().await;
    let headers = [
        ("origin", "https://www.example.org"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type,x-shop"),
    ];
    let reply = stack.http("OPTIONS", "/v1/track", &headers, b"").await;
    assert_eq!((reply.status, reply.body), (204, Value::Null));
    assert_eq!(reply.headers["access-control-allow-origin"], "*");
    assert_eq!(reply.headers["access-control-allow-methods"], "GET, POST");
    assert_eq!(reply.headers["access-control-allow-headers"], "content-type,x-shop");
    assert!(stack.queue("SegmentQueue").await.is_empty().await);
}

#[tokio::test]
async fn only_senders_with_a_write_key_in_the_secret_are_accepted() {
    let another = "a write key is not configured here";
    for (setup, why) in [
        (Setup::default().secret("WriteKeysSecret", r#"{"default":"another"}"#), another),
        // As the template creates it, before the user fills it in.
        (Setup::default(), "no write key is configured here"),
    ] {
        let stack = setup.up().await;
        for name in ["track", "batch-gzip", "beacon"] {
            let reply = send(&stack, &sample("tracking-api", name)).await;
            assert_eq!((reply.status, &reply.body["error"]), (401, &json!("not_authentic")), "{name}");
            assert!(reply.body["message"].as_str().unwrap().contains(why), "{reply:?}");
        }
        let logs = stack.function("TrackingApi").logs();
        assert!(!logs.contains("sample-write-key"), "{logs}");
        assert!(stack.queue("SegmentQueue").await.is_empty().await);
    }
}

#[tokio::test]
async fn without_the_topic_the_library_is_asked_to_retry() {
    let stack = world::without_segment().up().await;
    stack.function("TrackingApi").warm().await;
    stack.break_everything();
    let reply = send(&stack, &sample("tracking-api", "track")).await;
    assert_eq!((reply.status, &reply.body["error"]), (503, &json!("not_stored")));
    assert_eq!(reply.headers["retry-after"], "5");
    assert!(stack.function("TrackingApi").is_running());
}
