//! The dead-letter queues on the page.

use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use crate::process::Server;

/// Starts a server with dead letters of these types. Its webhook refuses everything until it is changed.
async fn with_dead_letters(data: &tempfile::TempDir, types: &[&str]) -> (Server, FakeServer) {
    let webhook = FakeServer::start(|_| Answer::status(400)).await;
    let url = format!("{}/hook", webhook.url());
    let server = Server::start(data.path(), &["--webhook", &url, "--allow-private-webhooks"]);
    for (number, name) in types.iter().enumerate() {
        let message = json!({"userId": "u", "event": "e", "groupId": "g", "messageId": number.to_string(), "writeKey": "local"});
        server.post(&format!("/v1/{name}"), message.to_string()).await;
    }
    let dead =
        |rows: &[Value]| rows.iter().filter(|row| row["state"] == "dead-letter").count() == types.len();
    server.rows(dead).await;
    (server, webhook)
}

async fn list(server: &Server) -> Vec<Value> {
    let list = server.ask("dead-letters").await;
    let letters = list["deadLetters"].as_array().unwrap().clone();
    assert_eq!(list["total"], letters.len());
    letters
}

async fn post(server: &Server, what: &str, choice: &Value) -> Value {
    server.post(&format!("/debugger/api/{what}"), choice.to_string()).await.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_some_or_all_dead_letters_are_redriven_and_arrive() {
    let data = tempfile::tempdir().unwrap();
    let (server, webhook) = with_dead_letters(&data, &["track", "track", "page", "group"]).await;
    let letters = list(&server).await;
    let one = letters.iter().find(|letter| letter["messageIds"] == json!(["0"])).unwrap();
    for (field, expected) in [
        ("queue", json!("webhooks")),
        ("type", json!("track")),
        ("user", json!("u")),
        ("failure", json!("client_error")),
        ("status", json!(400)),
        ("attempts", json!(1)),
    ] {
        assert_eq!(one[field], expected, "{one}");
    }
    assert!(one["reason"].as_str().unwrap().contains("400") && one["row"].is_u64(), "{one}");
    webhook.set(|_| Answer::ok());
    let count = |answer: &Value| answer["messages"].as_array().unwrap().len();
    for (choice, expected) in [
        (json!({"dryRun": true}), 4),
        (json!({"keys": [one["key"]]}), 1),
        (json!({"keys": [one["key"]]}), 0),
        (json!({"type": "page", "dryRun": true}), 1),
        (json!({"type": "page", "queue": "segment"}), 0),
        (json!({"failure": "server_error"}), 0),
        (json!({"type": "page", "failure": "client_error", "webhook": one["webhook"]}), 1),
        (json!({}), 2),
    ] {
        assert_eq!(count(&post(&server, "redrive", &choice).await), expected, "{choice}");
    }
    server.rows(|rows| rows.iter().all(|row| row["state"] == "delivered")).await;
    assert!(list(&server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_message_is_gone_and_its_row_says_so() {
    let data = tempfile::tempdir().unwrap();
    let (server, _webhook) = with_dead_letters(&data, &["track", "page"]).await;
    let dry = post(&server, "purge", &json!({"type": "track", "dryRun": true})).await;
    assert_eq!((&dry["purged"], dry["messages"].as_array().unwrap().len()), (&json!(0), 1));
    assert_eq!(list(&server).await.len(), 2);
    assert_eq!(post(&server, "purge", &json!({"type": "track"})).await["purged"], 1);
    let left = list(&server).await;
    assert_eq!((left.len(), &left[0]["type"]), (1, &json!("page")));
    let rows = server.rows(|_| true).await;
    let reasons: Vec<bool> =
        rows.iter().map(|row| row["reason"].as_str().unwrap().starts_with("purged")).collect();
    assert_eq!(reasons, [true, false]);
    let answer = server.post("/debugger/api/purge", r#"{"typo":1}"#).await;
    assert_eq!(answer.status(), 400);
}
