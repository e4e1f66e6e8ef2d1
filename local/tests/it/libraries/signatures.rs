//! Receivers: a webhook from Segment's documentation, and the real `standardwebhooks` packages.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use segment::json;
use serde_json::{Value, json};
use testkit::FakeServer;

use super::{arrived, node, python, root};
use crate::process::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_from_segments_documentation_accepts_every_signature() {
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
