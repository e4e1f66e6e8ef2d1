//! Migration from Auth0's rule: the same user through the rule, an Action and a log stream.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::process::{Server, sample};

/// The body of a sample.
fn body(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(sample(&format!("identity-webhook/bodies/{name}.json"))).unwrap())
        .unwrap()
}

#[tokio::test]
async fn a_user_signs_up_once_in_each_auth0_integration() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let (mut rule, mut action) = (body("auth0.login.rule"), body("auth0.login.action"));
    for user in [&mut rule["user"], &mut action["user"]] {
        user["user_id"] = json!("auth0|1");
    }
    let mut answers = Vec::new();
    for login in [&rule, &action] {
        let answer = server.post("/identity/auth0/login", login.to_string()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answers.push(answer.json::<Value>().await.unwrap()["event"].clone());
    }
    assert_eq!(answers, ["signup", "login"]);
    let record = json!({"log_id": "1", "data": {"type": "s", "user_id": "auth0|1", "log_id": "1",
        "details": {"prompts": [{"name": "login"}], "stats": {"loginsCount": 2}}}});
    let answer = server.post("/identity/auth0/logs", record.to_string()).await;
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"accepted": 1}));

    let messages = server.messages(3).await;
    let events: Vec<&Value> = messages.iter().rev().map(|entry| &entry["message"]["event"]).collect();
    assert_eq!(events.iter().filter(|event| **event == "signup").count(), 1, "{events:?}");
    assert!(messages.iter().all(|entry| entry["message"]["userId"] == "auth0|1"));
    let rows = server.rows(|rows| rows.len() == 3).await;
    for event in ["signup", "login", "Signed In"] {
        assert_eq!(rows.iter().filter(|row| row["event"] == event).count(), 1, "{event}");
    }
}

#[tokio::test]
async fn a_sign_up_is_remembered_over_a_crash() {
    let data = tempfile::tempdir().unwrap();
    let login = json!({"user": {"user_id": "auth0|1"}, "context": {}}).to_string();
    for expected in ["signup", "login"] {
        let server = Server::start(data.path(), &[]);
        let answer = server.post("/identity/auth0/login", login.clone()).await;
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"event": expected}));
        server.kill();
    }
}
