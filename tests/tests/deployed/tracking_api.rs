//! tracking-api.

use end_to_end::{Aws, Lambda, Queues, samples};
use serde_json::{Map, Value, json};

/// What the samples are sent with. It is no secret.
pub(crate) const SECRET: &str = r#"{"default":"sample-write-key-not-secret"}"#;

pub(crate) async fn started(aws: &Aws, queues: &Queues, secret: &str) -> Lambda {
    let secret = aws.secret(secret).await;
    aws.function("tracking-api", &[("TOPIC_ARN", &queues.topic), ("WRITE_KEYS_SECRET_ARN", &secret)]).await
}

/// A sample as API Gateway's event.
pub(crate) fn sample(name: &str) -> Value {
    let (_, text) = samples("tracking-api").into_iter().find(|(candidate, _)| candidate == name).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Status, headers and body of an answer to API Gateway. No body is `null`.
pub(crate) async fn answer(function: &Lambda, event: &Value) -> (u64, Map<String, Value>, Value) {
    let text = function.invoke(event.to_string()).await.unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    let body = answer["body"].as_str().filter(|body| !body.is_empty());
    let body = body.map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
    (answer["statusCode"].as_u64().unwrap(), answer["headers"].as_object().unwrap().clone(), body)
}

#[tokio::test]
async fn every_sample_gets_its_answer_and_its_messages_are_in_the_queue() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let function = started(&aws, &queues, SECRET).await;
    for (name, event) in samples("tracking-api") {
        let (status, headers, body) = answer(&function, &serde_json::from_str(&event).unwrap()).await;
        let mut queued = queues.drain(&queues.queue).await;
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
            "batch-one-invalid" => (400, vec!["6", "8"]),
            other => panic!("no expectation for {other}"),
        };
        assert_eq!((status, ids), (expected_status, expected_ids), "{name}: {body}");
        if status == 200 {
            assert_eq!(body, json!({"success": true}), "{name}");
        } else {
            assert_eq!((&body["accepted"], &body["invalid"][0]["index"]), (&json!(2), &json!(1)), "{name}");
        }
        assert_eq!(headers["access-control-allow-origin"], "*", "{name}");
    }
    let logs = function.logs();
    assert!(logs.contains(r#""Function":"tracking-api","Accepted":"#), "{logs}");
    assert!(!logs.contains("not-secret") && !logs.contains("8f14e45f"), "no content in the logs: {logs}");
}

#[tokio::test]
async fn a_browser_that_asks_first_may_send() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let function = started(&aws, &queues, SECRET).await;
    let mut event = sample("beacon");
    event["requestContext"]["http"]["method"] = json!("OPTIONS");
    event["headers"]["access-control-request-method"] = json!("POST");
    event["headers"]["access-control-request-headers"] = json!("content-type");
    event.as_object_mut().unwrap().remove("body");
    let (status, headers, body) = answer(&function, &event).await;
    assert_eq!((status, body), (204, Value::Null));
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(headers["access-control-allow-methods"], "POST");
    assert!(headers["access-control-allow-headers"].as_str().unwrap().contains("content-type"));
    assert!(queues.drain(&queues.queue).await.is_empty());
}

#[tokio::test]
async fn only_those_with_a_write_key_of_the_secret_may_send() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    // As the template creates it, for somebody to fill in.
    let empty = end_to_end::template::properties("WriteKeysSecret")["SecretString"].as_str().unwrap();
    for (secret, why) in [
        (r#"{"default":"another"}"#, "a write key is not one of those that are configured here"),
        (empty, "no write key is configured here"),
    ] {
        let function = started(&aws, &queues, secret).await;
        for name in ["track", "batch-gzip", "beacon"] {
            let (status, _, body) = answer(&function, &sample(name)).await;
            assert_eq!((status, &body["error"]), (401, &json!("not_authentic")), "{secret}: {name}");
            assert!(body["message"].as_str().unwrap().contains(why), "{secret}: {body}");
        }
        assert!(!function.logs().contains("sample-write-key"), "{}", function.logs());
    }
    assert!(queues.drain(&queues.queue).await.is_empty());
}

#[tokio::test]
async fn without_the_topic_the_library_is_asked_to_come_again() {
    let aws = Aws::start().await;
    let queues = aws.queues().await;
    let function = started(&aws, &queues, SECRET).await;
    drop(aws);
    let (status, headers, body) = answer(&function, &sample("track")).await;
    assert_eq!((status, &body["error"]), (503, &json!("not_stored")));
    assert_eq!(headers["retry-after"], "5");
    assert!(function.is_running());
}
