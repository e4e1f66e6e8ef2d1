//! Segment's own libraries and the real `standardwebhooks` packages against a running `segue serve`:
//! `tests/libraries` has the programs, and `make tools` installs their dependencies.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use segment::json;
use serde_json::Value;
use testkit::FakeServer;

use crate::process::Server;

mod answers;
mod arrival;
mod relay;
mod replayed;
mod schema;
mod sending;
mod signatures;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs a program of `tests/libraries` to its end and returns its output.
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
