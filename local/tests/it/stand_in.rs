//! The stand-in behaves as Segment's HTTP API does.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::process::{Server, login};

fn basic(server: &Server, call: &str) -> reqwest::RequestBuilder {
    server.http.post(format!("{}/stand-in/v1/{call}", server.base)).basic_auth("key", Some(""))
}

#[tokio::test]
async fn a_known_message_id_is_silently_dropped() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let bad = json!({"userId": "u", "messageId": "m"});
    let good = json!({"userId": "u", "messageId": "m", "event": "e"});
    for body in [&bad, &good, &good] {
        let answer = basic(&server, "track").json(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"success": true}));
    }
    let messages = server.messages(2).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0]["dropped"], Value::Null);
    assert_eq!(messages[1]["dropped"], "event: is missing");
}

#[tokio::test]
async fn the_write_key_is_accepted_in_each_way_of_segment() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let url = format!("{}/stand-in/v1/page", server.base);
    let body = json!({"userId": "u"});
    let with_key = json!({"userId": "u", "writeKey": "key"});
    for (request, expected) in [
        (server.http.post(&url).json(&body), 401),
        (server.http.post(&url).basic_auth("", Some("")).json(&body), 401),
        (server.http.post(&url).basic_auth("key", Some("")).json(&body), 200),
        (server.http.post(format!("{url}?writeKey=key")).json(&body), 200),
        (server.http.post(&url).json(&with_key), 200),
    ] {
        assert_eq!(request.send().await.unwrap().status().as_u16(), expected);
    }
    let messages = server.messages(3).await;
    assert!(!serde_json::to_string(&messages).unwrap().contains("writeKey"));
}

#[tokio::test]
async fn too_large_requests_and_unknown_calls_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let message = json!({"type": "page", "userId": "u", "name": "x".repeat(30_000)});
    for (call, body, expected) in [
        ("batch", json!({"batch": vec![message.clone(); 16]}), 200),
        ("batch", json!({"batch": vec![message; 18]}), 413),
        ("page", json!({"userId": "u", "name": "x".repeat(33_000)}), 400),
        ("delete", json!({"userId": "u"}), 404),
    ] {
        let answer = basic(&server, call).json(&body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{call}");
    }
}

#[tokio::test]
async fn the_stand_in_fails_on_demand_and_the_retries_deliver() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for (body, expected) in [
        (json!({"status": 200, "seconds": 1}), 400),
        (json!({"status": 500, "second": 1}), 400),
        (json!("nonsense"), 400),
        (json!({"status": 429, "retryAfter": 1, "seconds": 600}), 204),
    ] {
        let answer = server.api(Method::PUT, "fault").json(&body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{body}");
        if expected == 400 {
            let answer: Value = answer.json().await.unwrap();
            assert!(answer["message"].as_str().unwrap().ends_with('.'), "a sentence: {answer}");
        }
    }
    let refused = basic(&server, "page").json(&json!({"userId": "u"})).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    server.webhook(&login("1")).await;
    assert!(server.messages(0).await.is_empty());
    server.api(Method::DELETE, "fault").send().await.unwrap();
    assert_eq!(server.messages(1).await.len(), 1);
    assert_eq!(server.queue("segment").await["deadLetters"], json!([]));
}
