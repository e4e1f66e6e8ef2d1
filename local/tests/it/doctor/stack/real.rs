//! The real AWS CLI against ministack, an emulated AWS.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::account::findings;
use crate::doctor::servers::Server;

/// Where `make tools` puts programs.
const TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.tools");

/// The credentials that ministack accepts.
const CREDENTIALS: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "test"),
    ("AWS_SECRET_ACCESS_KEY", "test"),
    ("AWS_DEFAULT_REGION", "eu-central-1"),
];

/// An empty AWS. It ends with the test.
struct Ministack {
    process: Child,
    folder: TempDir,
    /// The PATH with a CLI that calls this AWS.
    path: String,
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Ministack {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The port is free once the listener is dropped. Another program is unlikely to take it so soon.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(format!("{TOOLS}/ministack/bin/ministack"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", folder.path())
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", address.port().to_string())
            .env("STATE_DIR", folder.path())
            .env("S3_DATA_DIR", folder.path())
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{error}; make tools installs ministack"));
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "ministack starts");
            thread::sleep(Duration::from_millis(20));
        }
        // Version 1 of the CLI ignores AWS_ENDPOINT_URL for SQS.
        let cli = folder.path().join("aws");
        let text = format!("#!/bin/sh\nexec '{TOOLS}/venv/bin/aws' --endpoint-url http://{address} \"$@\"\n");
        fs::write(&cli, text).unwrap();
        fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        Self { process, folder, path }
    }

    /// The answer of the CLI.
    fn aws(&self, arguments: &[&str]) -> Value {
        let mut command = Command::new(self.folder.path().join("aws"));
        command.args(arguments).args(["--output", "json"]).env_clear().envs(CREDENTIALS);
        let output = command.env("PATH", &self.path).env("HOME", self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// The findings, each as its check, its status and what was found.
    fn findings(&self, stack: &str, variables: &[(&str, &str)]) -> Vec<(String, String, String)> {
        let home = self.folder.path().to_str().unwrap();
        let own = [("HOME", home), ("AWS_EC2_METADATA_DISABLED", "true")];
        let (findings, _) = findings(&self.path, stack, &[variables, &own].concat());
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        let parts =
            |finding: &Value| (text(finding, "check"), text(finding, "status"), text(finding, "found"));
        findings.iter().map(parts).collect()
    }
}

/// The part of the real template that the doctor checks, with an alarm and a secret.
fn template(health: &str) -> Value {
    let alarm = json!({"Namespace": "Segue", "MetricName": "m", "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1, "Period": 60, "Statistic": "Sum", "Threshold": 0});
    let output = |resource: &str| json!({"Value": {"Ref": resource}});
    json!({
        "Parameters": {"SegmentConcurrency": {"Type": "Number", "Default": 2}},
        "Resources": {
            "WriteKeysSecret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "{}"}},
            "SegmentQueue": {"Type": "AWS::SQS::Queue"},
            "SegmentDeadLetterQueue": {"Type": "AWS::SQS::Queue"},
            "SegmentDeadLetterAlarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
        },
        "Outputs": {
            "WriteKeysSecret": output("WriteKeysSecret"),
            "SegmentQueueUrl": output("SegmentQueue"),
            "SegmentDeadLetterQueueUrl": output("SegmentDeadLetterQueue"),
            "HealthUrl": {"Value": health},
        },
    })
}

#[test]
fn the_real_cli_shows_the_state_of_a_stack() {
    let (ministack, door) = (Ministack::start(), Server::answering("200 OK", "", "{}"));
    let has = |findings: &[(String, String, String)], check: &str, status: &str, found: &str| {
        let fits =
            |one: &&(String, String, String)| one.0 == check && one.1 == status && one.2.contains(found);
        assert_eq!(findings.iter().filter(fits).count(), 1, "{check}: {status}: {found}: {findings:#?}");
    };
    let found = ministack.findings("segue", &CREDENTIALS);
    has(&found, "AWS CLI", "ok", "region eu-central-1");
    has(&found, "stack", "problem", "there is no stack segue");

    let template = template(&door.url("http", "/health")).to_string();
    ministack.aws(&["cloudformation", "create-stack", "--stack-name", "segue", "--template-body", &template]);
    ministack.aws(&["cloudformation", "wait", "stack-create-complete", "--stack-name", "segue"]);
    let found = ministack.findings("segue", &CREDENTIALS);
    has(&found, "stack", "ok", "segue is CREATE_COMPLETE");
    has(&found, "concurrency", "ok", "deliveries can use 2");
    has(&found, "secret", "problem", "WriteKeysSecret is still empty");
    has(&found, "queues", "ok", "no dead letters");
    has(&found, "alarms", "ok", "no active alarms");
    has(&found, "health", "ok", "/health answers 200");

    let resource = |name: &str| {
        let arguments = ["cloudformation", "describe-stack-resource", "--stack-name", "segue"];
        let answer = ministack.aws(&[&arguments[..], &["--logical-resource-id", name]].concat());
        answer["StackResourceDetail"]["PhysicalResourceId"].as_str().unwrap().to_owned()
    };
    let (secret, queue) = (resource("WriteKeysSecret"), resource("SegmentDeadLetterQueue"));
    ministack.aws(&["secretsmanager", "put-secret-value", "--secret-id", &secret, "--secret-string", "k"]);
    ministack.aws(&["sqs", "send-message", "--queue-url", &queue, "--message-body", "{}"]);
    let alarm = resource("SegmentDeadLetterAlarm");
    let up = ["--state-value", "ALARM", "--state-reason", "r"];
    ministack.aws(&[&["cloudwatch", "set-alarm-state", "--alarm-name", &alarm][..], &up].concat());
    let found = ministack.findings("segue", &CREDENTIALS);
    has(&found, "secret", "ok", "WriteKeysSecret has a value");
    has(&found, "queues", "warning", "SegmentDeadLetterQueue has about 1 message");
    has(&found, "alarms", "problem", "SegmentDeadLetterAlarm is active");

    has(&ministack.findings("segue", &CREDENTIALS[..2]), "AWS CLI", "problem", "has no region");
    has(&ministack.findings("segue", &CREDENTIALS[2..]), "AWS CLI", "problem", "has no credentials");
}
