//! The rejected queue of a running server, and the command that shows it.

use std::path::Path;

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::FakeServer;

use crate::process::{Server, segue};

/// Three valid messages and one without an event, as an app's library repeats them after a 400.
fn batch() -> String {
    let message = |event: &str, id: &str| json!({"type": "track", "anonymousId": "a", "event": event, "messageId": id, "n": 1});
    let messages =
        [message("good 1", "1"), message("", "bad"), message("good 2", "2"), message("good 3", "3")];
    json!({"writeKey": "local", "batch": messages}).to_string()
}

/// Returns the command's JSON and its sentence.
fn rejected(data: &Path, options: &[&str]) -> (Value, String) {
    let output = segue().arg("rejected").arg("--data-dir").arg(data).args(options).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (serde_json::from_slice(&output.stdout).unwrap(), said)
}

fn listen(server: &Server) -> [&str; 2] {
    ["--listen", server.base.strip_prefix("http://").unwrap()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_a_bad_message_is_delivered_once_and_the_bad_one_is_shown_with_its_reason() {
    let (data, webhook) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
    let url = format!("{}/hook", webhook.url());
    let server = Server::start(data.path(), &["--webhook", &url, "--allow-private-webhooks"]);
    assert!(rejected(data.path(), &listen(&server)).1.contains("no message"));
    let answer = server.post("/v1/b", batch()).await;
    assert_eq!(answer.status(), StatusCode::OK, "so that the library does not repeat it");
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        (&answer["success"], &answer["accepted"], &answer["rejected"]),
        (&json!(true), &json!(3), &json!(1))
    );
    for _ in 0..3 {
        server.post("/v1/b", batch()).await;
    }
    // This message comes last.
    server.post("/v1/track", r#"{"writeKey":"local","userId":"u","event":"last"}"#).await;
    let delivered = |webhook: &FakeServer| {
        webhook.requests().iter().map(|request| request.json()["event"].clone()).collect::<Vec<_>>()
    };
    while !delivered(&webhook).contains(&json!("last")) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(delivered(&webhook).len(), 4, "{:?}", delivered(&webhook));
    server.messages(4).await;

    let rows = server.rows(|rows| rows.iter().any(|row| row["state"] == "rejected")).await;
    let row = rows.iter().find(|row| row["state"] == "rejected").unwrap();
    assert!(
        row["reason"]
            .as_str()
            .unwrap()
            .starts_with("1 of 4 messages cannot be taken: event must not be empty"),
        "{row}"
    );
    let shown = server.ask("rejected").await;
    assert_eq!(shown["total"], 1);
    let text = shown["messages"][0]["message"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()["messageId"], "bad");

    let (printed, said) = rejected(data.path(), &listen(&server));
    let message = &printed["messages"][0];
    assert_eq!((&message["field"], &message["problem"]), (&json!("event"), &json!("must not be empty")));
    assert_eq!((&message["writeKey"], &message["message"]["n"]), (&json!("default"), &json!(1)));
    assert!(said.contains("1 message was rejected"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_messages_survive_a_restart_and_a_redrive_ignores_them() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    server.post("/v1/batch", batch()).await;
    server.messages(3).await;
    server.kill();
    assert_eq!(rejected(data.path(), &[]).0["total"], 1);
    let redrive = segue().arg("redrive").arg("--data-dir").arg(data.path()).output().unwrap();
    assert!(String::from_utf8(redrive.stderr).unwrap().contains("there are no dead letters"));

    let server = Server::start(data.path(), &[]);
    let purged = server.post("/debugger/api/purge", "{}").await;
    assert_eq!(purged.json::<Value>().await.unwrap()["purged"], 0, "nor does a purge of dead letters");
    assert_eq!(server.ask("rejected").await["total"], 1);
    let (printed, said) = rejected(data.path(), &[&listen(&server)[..], &["--purge"]].concat());
    assert_eq!(printed, json!({"purged": 1}));
    assert!(said.contains("1 rejected message is deleted"), "{said}");
    assert_eq!(server.ask("rejected").await, json!({"messages": [], "total": 0}));
}
