//! Deliveries to webhooks: `segue serve --webhook` and `segue redrive`.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{Answer, FakeServer, Request};

use crate::process::{Server, login, segue};

fn start(data: &tempfile::TempDir, webhooks: &[&FakeServer], further: &[&str]) -> Server {
    let urls: Vec<String> = webhooks.iter().map(|webhook| format!("{}/hook", webhook.url())).collect();
    let urls = urls.iter().flat_map(|url| ["--webhook", url.as_str()]);
    let options: Vec<&str> =
        urls.chain(["--allow-private-webhooks"]).chain(further.iter().copied()).collect();
    Server::start(data.path(), &options)
}

async fn track(server: &Server, id: &str, further: &Value) {
    let mut message = json!({"userId": "u", "event": "e", "messageId": id, "writeKey": "local"});
    further.as_object().unwrap().iter().for_each(|(name, value)| message[name] = value.clone());
    assert_eq!(server.post("/v1/track", message.to_string()).await.status(), StatusCode::OK);
}

async fn requests(webhook: &FakeServer, count: usize) -> Vec<Request> {
    for _ in 0..1_500 {
        let requests = webhook.requests();
        if requests.len() >= count {
            return requests;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} requests did not come in 30 s");
}

/// Waits for so many messages in the webhooks' dead-letter queue.
async fn dead_letters(server: &Server, count: usize) -> Vec<Value> {
    for _ in 0..1_500 {
        let queue = server.queue("webhooks").await;
        let dead = queue["deadLetters"].as_array().unwrap();
        if dead.len() == count && queue["depth"] == 0 {
            return dead.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("there are not {count} dead letters after 30 s");
}

fn redrive(data: &tempfile::TempDir, options: &[&str]) -> Result<Value, String> {
    let output = segue().args(["redrive", "--data-dir"]).arg(data.path()).args(options).output().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_once_an_absent_webhook_is_back() {
    let data = tempfile::tempdir().unwrap();
    let (up, away) = (FakeServer::healthy().await, FakeServer::start(|_| Answer::ResetBefore).await);
    let server = start(&data, &[&up, &away], &[]);
    for number in 0..5 {
        track(&server, &format!("m-{number}"), &json!({})).await;
    }
    requests(&up, 5).await;
    requests(&away, 1).await;
    away.set(|_| Answer::ok());
    for _ in 0..1_500 {
        if away.taken().len() >= 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut ids: Vec<Value> = away.taken().iter().map(|(_, message)| message["messageId"].clone()).collect();
    ids.sort_by_key(Value::to_string);
    assert_eq!(ids, ["m-0", "m-1", "m-2", "m-3", "m-4"]);
    assert_eq!(up.requests().len(), 5, "who has it never gets it again");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_for_webhooks_survive_kill_9() {
    let data = tempfile::tempdir().unwrap();
    let webhook = FakeServer::start(|_| Answer::status(503)).await;
    let server = start(&data, &[&webhook], &[]);
    for number in 0..50 {
        track(&server, &number.to_string(), &json!({})).await;
    }
    server.kill();
    webhook.set(|_| Answer::ok());
    let _server = start(&data, &[&webhook], &[]);
    let arrived = async {
        while webhook.taken().len() < 50 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), arrived).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_events_and_deletions_reach_webhooks_and_integrations_are_respected() {
    let data = tempfile::tempdir().unwrap();
    let webhook = FakeServer::healthy().await;
    let server = start(&data, &[&webhook], &[]);
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::OK);
    let event = json!({"event": {"id": "2", "type": "user.delete.complete", "user": {"id": "user-1"}}});
    assert_eq!(server.webhook(&event).await.status(), StatusCode::OK);
    track(&server, "neither", &json!({"integrations": {"All": false}})).await;
    track(
        &server,
        "only webhooks",
        &json!({"integrations": {"All": false, "Webhooks": true, "Segment.io": false}}),
    )
    .await;
    track(&server, "both", &json!({})).await;
    let requests = requests(&webhook, 4).await;
    let messages: Vec<Value> = requests.iter().map(Request::json).collect();
    let find = |field: &str, value: &str| messages.iter().find(|message| message[field] == value);
    let deletion = find("type", "delete").unwrap();
    assert_eq!((&deletion["userId"], deletion.get("version")), (&json!("user-1"), None));
    assert_eq!(find("type", "identify").or(find("type", "track")).unwrap()["version"], 1);
    assert!(find("messageId", "only webhooks").is_some() && find("messageId", "both").is_some());
    assert!(find("messageId", "neither").is_none());
    let at_segment = server.messages(3).await;
    let ids: Vec<&Value> = at_segment.iter().map(|entry| &entry["message"]["messageId"]).collect();
    assert!(ids.contains(&&json!("neither")) && ids.contains(&&json!("both")));
    assert!(!ids.contains(&&json!("only webhooks")));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_signature_come_from_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let webhook = FakeServer::healthy().await;
    let header = format!("{}/hook X-Api-Key: a: b", webhook.url());
    let server = start(&data, &[&webhook], &["--webhook-header", &header, "--shared-secret", "s3cret"]);
    track(&server, "m", &json!({})).await;
    let request = &requests(&webhook, 1).await[0];
    assert_eq!(request.line, "POST /hook");
    assert_eq!(request.header("x-api-key"), Some("a: b"));
    assert_eq!(request.header("user-agent"), Some("Segment.io/1.0"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("x-signature").map(str::len), Some(40));
    assert!(!server.log().contains("s3cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_redriven_by_webhook_type_and_time_and_a_dry_run_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let gone = FakeServer::start(|_| Answer::status(410)).await;
    let wrong = FakeServer::start(|_| Answer::status(404)).await;
    let server = start(&data, &[&gone, &wrong], &[]);
    track(&server, "m-1", &json!({})).await;
    let page = r#"{"userId":"u","messageId":"m-2","writeKey":"local"}"#;
    assert_eq!(server.post("/v1/page", page).await.status(), StatusCode::OK);
    let dead = dead_letters(&server, 4).await;
    for letter in &dead {
        let attributes = &letter["attributes"];
        assert_eq!(attributes["failure"], "client_error");
        assert!(["410", "404"].contains(&attributes["status"].as_str().unwrap()));
        assert_eq!(attributes["attempts"], "1");
        assert!(attributes["webhook"].as_str().unwrap().starts_with("127.0.0.1:"));
        assert!(attributes["since"].as_str() <= attributes["failedAt"].as_str());
    }
    let listen = server.base.trim_start_matches("http://").to_owned();
    let url = format!("{}/hook", gone.url());
    let options = ["--listen", &listen, "--webhook", &url, "--type", "track"];
    let dry = redrive(&data, &[&options[..], &["--dry-run"]].concat()).unwrap();
    assert_eq!((&dry["redriven"], dry["messages"].as_array().unwrap().len()), (&json!(0), 1));
    assert_eq!(dry["messages"][0]["messageIds"], json!(["m-1"]));
    dead_letters(&server, 4).await;
    gone.set(|_| Answer::ok());
    assert_eq!(redrive(&data, &options).unwrap()["redriven"], 1);
    dead_letters(&server, 3).await;
    assert_eq!(gone.taken()[0].1["messageId"], "m-1");
    let late = ["--listen", &listen, "--since", "2999-01-01"];
    assert_eq!(redrive(&data, &late).unwrap()["redriven"], 0);
    server.kill();
    wrong.set(|_| Answer::ok());
    assert_eq!(redrive(&data, &["--since", "2020-01-01"]).unwrap()["redriven"], 3, "without a server too");
    let server = start(&data, &[&gone, &wrong], &[]);
    dead_letters(&server, 0).await;
    let mut arrived: Vec<Value> =
        wrong.taken().iter().map(|(_, message)| message["messageId"].clone()).collect();
    arrived.sort_by_key(Value::to_string);
    assert_eq!(arrived, ["m-1", "m-2"]);
}

#[test]
fn an_invalid_redrive_is_refused_with_a_sentence() {
    let data = tempfile::tempdir().unwrap();
    for (options, expected) in [
        (&["--since", "soon"][..], "it must be a time"),
        (&["--type", "buy"], "it must be identify, track"),
        (&[], "no store in"),
    ] {
        let error = redrive(&data, options).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "it leaves no trace");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_well_known_write_key_works_on_this_machine_only() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let message = r#"{"userId":"u","event":"e"}"#;
    assert_eq!(server.post("/v1/track", message).await.status(), StatusCode::UNAUTHORIZED);
    let url = "/v1/track?writeKey=local";
    assert_eq!(server.post(url, message).await.status(), StatusCode::OK);
    drop(server);
    let server = Server::start(data.path(), &["--listen", "0.0.0.0:0", "--allow-unsigned"]);
    assert_eq!(server.post(url, message).await.status(), StatusCode::UNAUTHORIZED);
    assert!(server.banner.contains("refused: set SEGMENT_WRITE_KEY"));
    drop(server);
    let server =
        Server::start(data.path(), &["--listen", "0.0.0.0:0", "--allow-unsigned", "--write-key", "k"]);
    assert_eq!(server.post(url, message).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.post("/v1/track?writeKey=k", message).await.status(), StatusCode::OK);
}

/// A failed batch is stored as one body, one level deeper than its messages.
#[tokio::test(flavor = "multi_thread")]
async fn the_deepest_message_does_not_fail_its_batch() {
    let data = tempfile::tempdir().unwrap();
    let webhook = FakeServer::answering([Answer::status(503), Answer::status(503), Answer::ok()]).await;
    let secret =
        json!({"webhooks": [{"url": format!("{}/hook", webhook.url()), "batchSize": 100}]}).to_string();
    let server = Server::start(data.path(), &["--webhooks-secret", &secret, "--allow-private-webhooks"]);
    let deep: Value = serde_json::from_str(&format!("{}1{}", "[".repeat(98), "]".repeat(98))).unwrap();
    let message = |id: usize, value: &Value| {
        json!({"type": "track", "userId": "u", "event": "e",
        "messageId": id.to_string(), "properties": {"a": value}})
    };
    let mut messages: Vec<Value> = (0..20).map(|id| message(id, &json!(1))).collect();
    messages.push(message(20, &deep));
    let batch = json!({"writeKey": "local", "batch": messages}).to_string();
    assert_eq!(server.post("/v1/batch", batch).await.status(), StatusCode::OK);
    let rows =
        server.rows(|rows| rows.len() == 21 && rows.iter().all(|row| row["state"] == "delivered")).await;
    assert_eq!(rows.len(), 21);
    let deeper = json!({"writeKey": "local", "batch": [message(21, &json!([deep]))]}).to_string();
    assert_eq!(server.post("/v1/batch", deeper).await.status(), StatusCode::BAD_REQUEST);
}
