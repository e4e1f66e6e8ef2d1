//! Segment's own libraries and the real `standardwebhooks` packages against a running `segue serve`:
//! `tests/libraries` has the programs, `make tools` installs what they need.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use fakes::FakeServer;
use segment::json;
use serde_json::{Value, json};

use crate::process::Server;

/// The fields that Segment itself sets when a message arrives, and the one that it corrects.
const SET_BY_SEGMENT: [&str; 6] =
    ["receivedAt", "sentAt", "originalTimestamp", "version", "channel", "timestamp"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs a program of `tests/libraries` to its end and returns what it printed.
async fn run(program: &str, script: &str, arguments: &[&str], input: String) -> String {
    let mut command = Command::new(program);
    command.arg(root().join("tests/libraries").join(script)).args(arguments);
    let script = script.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{script} does not start ({error}); run `make tools`"));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    });
    output.await.unwrap()
}

async fn node(script: &str, arguments: &[&str], input: String) -> String {
    run("node", script, arguments, input).await
}

async fn python(script: &str, arguments: &[&str], input: String) -> String {
    run(root().join(".tools/venv/bin/python").to_str().unwrap(), script, arguments, input).await
}

fn start(data: &tempfile::TempDir, webhook: &FakeServer, further: &[&str]) -> Server {
    let url = format!("{}/hook", webhook.url());
    let options = [&["--webhook", &url, "--allow-private-webhooks"][..], further].concat();
    Server::start(data.path(), &options)
}

/// Equal in content: the same numbers, however they are written.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one.to_string().parse::<f64>().unwrap() == other.to_string().parse::<f64>().unwrap()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| same(one, other)))
        }
        _ => one == other,
    }
}

fn content(message: &Value) -> Value {
    let mut message = message.clone();
    SET_BY_SEGMENT.iter().for_each(|field| drop(message.as_object_mut().unwrap().remove(*field)));
    message
}

fn with_id<'a>(messages: &'a [Value], id: &Value) -> &'a Value {
    let mut found = messages.iter().filter(|message| message["messageId"] == *id);
    let message = found.next().unwrap_or_else(|| panic!("{id} did not arrive"));
    assert!(found.next().is_none(), "{id} arrived twice");
    message
}

/// Everything that the library sent is at the stand-in and at the webhook, equal in content.
async fn arrives_everywhere(server: &Server, webhook: &FakeServer, printed: &str) {
    let printed = json::parse(printed.as_bytes()).unwrap();
    let sent = printed["messages"].as_array().unwrap();
    assert!(sent.len() >= 6, "{sent:?}");
    for call in ["identify", "track", "page", "screen", "group", "alias"] {
        assert!(sent.iter().any(|message| message["type"] == call), "no {call}");
    }
    let at_segment: Vec<Value> =
        server.messages(sent.len()).await.into_iter().map(|entry| entry["message"].clone()).collect();
    let at_webhook = arrived(webhook, sent.len()).await;
    assert_eq!((at_segment.len(), at_webhook.len()), (sent.len(), sent.len()));
    for message in sent {
        let expected = content(message);
        for (place, arrived) in [("Segment", &at_segment), ("the webhook", &at_webhook)] {
            let arrived = content(with_id(arrived, &message["messageId"]));
            assert!(same(&arrived, &expected), "at {place}: {arrived}\nsent: {expected}");
        }
        let arrived = with_id(&at_webhook, &message["messageId"]);
        assert_eq!(arrived["version"], 1);
        assert_eq!(arrived["channel"], "server");
        if let Some(timestamp) = message.get("timestamp") {
            let sent = segment::timestamp::parse(timestamp).map(segment::timestamp::format);
            assert_eq!(arrived["originalTimestamp"].as_str(), sent.as_deref());
        }
        for field in ["sentAt", "receivedAt", "timestamp"] {
            assert!(segment::timestamp::parse(&arrived[field]).is_some(), "{field} of {arrived}");
        }
    }
}

async fn arrived(webhook: &FakeServer, count: usize) -> Vec<Value> {
    for _ in 0..1_500 {
        let messages: Vec<Value> =
            webhook.requests().iter().map(|request| json::parse(request.body.as_bytes()).unwrap()).collect();
        if messages.len() >= count {
            return messages;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{count} messages did not arrive at the webhook in 30 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_node_library_works_unchanged() {
    let (data, webhook) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
    let server = start(&data, &webhook, &["--write-key", "node-key"]);
    let printed = node("send-node.mjs", &[&server.base, "node-key"], String::new()).await;
    arrives_everywhere(&server, &webhook, &printed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_python_library_works_unchanged_with_and_without_gzip() {
    let (data, webhook) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
    let server = start(&data, &webhook, &["--write-key", "python-key"]);
    let printed = python("send_python.py", &[&server.base, "python-key"], String::new()).await;
    arrives_everywhere(&server, &webhook, &printed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_browser_library_delivers_from_a_page_of_another_origin() {
    for mode in ["standard", "batching", "leaving"] {
        let (data, webhook) = (tempfile::tempdir().unwrap(), FakeServer::healthy().await);
        let server = start(&data, &webhook, &["--write-key", "browser-key"]);
        let printed = node("browser.mjs", &[&server.base, "browser-key", mode], String::new()).await;
        let printed = json::parse(printed.as_bytes()).unwrap();
        let requests = printed["requests"].as_array().unwrap();
        assert!(requests.iter().all(|request| request["status"] == 200), "{mode}: {requests:?}");
        assert!(!printed["preflights"].as_array().unwrap().is_empty(), "the origins differ");
        let calls = |request: &Value| match &request["body"]["batch"] {
            Value::Array(messages) => messages.clone(),
            _ => vec![request["body"].clone()],
        };
        let sent: Vec<Value> = requests.iter().flat_map(calls).collect();
        let at_segment: Vec<Value> =
            server.messages(sent.len()).await.iter().map(|entry| entry["message"].clone()).collect();
        let at_webhook = arrived(&webhook, sent.len()).await;
        assert_eq!((at_segment.len(), at_webhook.len()), (sent.len(), sent.len()), "{mode}");
        for call in ["page", "track"] {
            assert!(sent.iter().any(|message| message["type"] == call), "{mode}: no {call}");
        }
        for message in sent {
            let mut expected = content(&message);
            expected.as_object_mut().unwrap().remove("writeKey");
            for arrived in [&at_segment, &at_webhook] {
                let arrived = content(with_id(arrived, &message["messageId"]));
                assert!(same(&arrived, &expected), "{mode}: {arrived}\nsent: {expected}");
            }
        }
        assert!(at_webhook.iter().all(|message| message["channel"] == "browser"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_written_as_segment_documents_it_finds_every_signature_valid() {
    let data = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&[("SHARED_SECRET", "s3cret")]);
    let url = format!("http://127.0.0.1:{}/hook", receiver.port);
    let options = ["--webhook", &url, "--shared-secret", "s3cret", "--allow-private-webhooks"];
    let server = Server::start(data.path(), &options);
    let printed = node("send-node.mjs", &[&server.base, "local"], String::new()).await;
    let sent = json::parse(printed.as_bytes()).unwrap()["messages"].as_array().unwrap().len();
    let printed = python("send_python.py", &[&server.base, "local"], String::new()).await;
    let sent = sent + json::parse(printed.as_bytes()).unwrap()["messages"].as_array().unwrap().len();
    for line in receiver.lines(sent).await {
        assert_eq!((&line["signature"], &line["fixedPoint"]), (&json!("valid"), &json!(true)), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_webhooks_packages_verify_with_either_secret_and_batches_too() {
    let secrets =
        ["whsec_Y3VycmVudC1zZWNyZXQtb2YtMjQtYnl0ZXMhIQ==", "whsec_cHJldmlvdXMtc2VjcmV0LW9mLTI0LWJ5dGVz"];
    let single = FakeServer::healthy().await;
    let batches = FakeServer::healthy().await;
    let secret = json!({"webhooks": [
        {"url": single.url(), "signingSecret": secrets},
        {"url": batches.url(), "signingSecret": secrets, "batchSize": 100},
    ]});
    let data = tempfile::tempdir().unwrap();
    let secret = secret.to_string();
    let server = Server::start(data.path(), &["--webhooks-secret", &secret, "--allow-private-webhooks"]);
    node("send-node.mjs", &[&server.base, "local"], String::new()).await;
    arrived(&single, 13).await;
    arrived(&batches, 1).await;
    let requests = [single.requests(), batches.requests()].concat();
    let lines: String = secrets
        .iter()
        .flat_map(|secret| requests.iter().map(move |request| (secret, request)))
        .map(|(secret, request)| {
            let headers: Value = request
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
                .collect();
            format!("{}\n", json!({"secret": secret, "headers": headers, "body": request.body}))
        })
        .collect();
    let count = lines.lines().count();
    assert!(count > 26);
    for verdicts in [
        node("verify-standard-webhooks.mjs", &[], lines.clone()).await,
        python("verify_standard_webhooks.py", &[], lines).await,
    ] {
        assert_eq!(verdicts.lines().filter(|verdict| *verdict == "valid").count(), count, "{verdicts}");
    }
}

/// The receiver of `tests/libraries`, killed when it is dropped.
struct Receiver {
    child: std::process::Child,
    port: u64,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Receiver {
    fn start(environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new("node")
            .arg(root().join("tests/libraries/receiver.mjs"))
            .envs(environment.iter().copied())
            .env("PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("node does not start ({error}); the tests need Node.js"));
        let output = std::io::BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            std::io::BufRead::lines(output).map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        let first = lines.recv_timeout(Duration::from_secs(30)).unwrap();
        let port = serde_json::from_str::<Value>(&first).unwrap()["listening"].as_u64().unwrap();
        Self { child, port, lines }
    }

    async fn lines(self, count: usize) -> Vec<Value> {
        tokio::task::spawn_blocking(move || {
            let line = |_| {
                let line = self.lines.recv_timeout(Duration::from_secs(30)).unwrap();
                json::parse(line.as_bytes()).unwrap()
            };
            (0..count).map(line).collect()
        })
        .await
        .unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
