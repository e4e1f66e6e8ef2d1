//! The faults of the stand-in.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::process::Server;

async fn set(server: &Server, fault: serde_json::Value) -> u16 {
    server.api(Method::PUT, "fault").json(&fault).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_silent_stand_in_never_answers_and_a_slow_one_answers_later() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let page = || {
        let request = server.http.post(format!("{}/stand-in/v1/page", server.base));
        request.body(r#"{"userId":"u","writeKey":"k"}"#)
    };
    assert_eq!(set(&server, json!({"silent": true, "seconds": 600})).await, 204);
    let silence = page().timeout(Duration::from_millis(500)).send().await.unwrap_err();
    assert!(silence.is_timeout(), "{silence}");
    assert_eq!(set(&server, json!({"delaySeconds": 1, "seconds": 600})).await, 204);
    assert!(page().timeout(Duration::from_millis(500)).send().await.unwrap_err().is_timeout());
    assert_eq!(page().send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_invalid_fault_is_refused() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    for fault in [
        json!({"seconds": 1}),
        json!({"status": 200, "seconds": 1}),
        json!({"status": 500, "silent": true, "seconds": 1}),
        json!({"status": 500, "delaySeconds": 1, "seconds": 1}),
        json!({"silent": false, "seconds": 1}),
        json!({"silent": true}),
    ] {
        assert_eq!(set(&server, fault.clone()).await, 400, "{fault}");
    }
}
