//! A fake AWS CLI with scripted answers. They describe a healthy stack.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{doctor::servers::Server, process::segue};

/// Answers a call with the file of its name, or fails with the error in that file. It records the calls.
const CLI: &str = r#"#!/bin/sh
answers=$(dirname "$0")
echo "$*" >> "$answers/calls"
for name in "$1 $2 $(basename "$4")" "$1 $2"; do
  if [ -f "$answers/$name.error" ]; then cat "$answers/$name.error" >&2; exit 254; fi
  if [ -f "$answers/$name" ]; then cat "$answers/$name"; exit 0; fi
done
echo "there is no scripted answer to $*" >&2
exit 252
"#;

/// A healthy stack. A test replaces parts of it.
pub struct Account {
    pub folder: TempDir,
    pub parameters: Vec<(&'static str, &'static str)>,
    pub health: Server,
}

impl Account {
    pub fn new() -> Self {
        let account = Self {
            folder: tempfile::tempdir().unwrap(),
            parameters: vec![
                ("SegmentConcurrency", "2"),
                ("WebhookConcurrency", "2"),
                ("WebhooksEnabled", "true"),
                ("WriteKeysSecretArn", ""),
                ("IdentitySecretArn", ""),
                ("WebhooksSecretArn", "arn:own"),
                ("PublicApiTokenSecretArn", ""),
            ],
            health: Server::answering("200 OK", "", r#"{"status":"ok"}"#),
        };
        let program = account.folder.path().join("aws");
        fs::write(&program, CLI).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        account.answers("sts get-caller-identity", &json!({"Account": "123456789012"}));
        account.says(
            "configure list",
            "      Name   Value   Type  Location\n    region   eu-central-1   env   X\n",
        );
        account.limit(1_000);
        account.stack("CREATE_COMPLETE");
        for secret in ["arn:keys", "arn:identity", "arn:own"] {
            account.answers(&format!("secretsmanager describe-secret {secret}"), &stored(true));
        }
        for queue in ["segment-dead", "webhook-dead", "rejected", "failures"] {
            account.queue(queue, [0, 0, 0]);
        }
        account.answers("cloudwatch describe-alarms", &json!({"MetricAlarms": [], "CompositeAlarms": []}));
        account
    }

    pub fn says(&self, call: &str, text: &str) {
        fs::write(self.folder.path().join(call), text).unwrap();
    }

    pub fn answers(&self, call: &str, answer: &Value) {
        self.says(call, &answer.to_string());
    }

    pub fn fails(&self, call: &str, error: &str) {
        self.says(&format!("{call}.error"), error);
    }

    pub fn limit(&self, limit: u64) {
        let limits = json!({"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": limit});
        self.answers("lambda get-account-settings", &json!({"AccountLimit": limits}));
    }

    pub fn queue(&self, name: &str, [visible, under_way, delayed]: [u32; 3]) {
        let counts = json!({"ApproximateNumberOfMessages": visible.to_string(),
            "ApproximateNumberOfMessagesNotVisible": under_way.to_string(),
            "ApproximateNumberOfMessagesDelayed": delayed.to_string()});
        self.answers(&format!("sqs get-queue-attributes {name}"), &json!({"Attributes": counts}));
    }

    pub fn stack(&self, status: &str) {
        let outputs = [
            ("WriteKeysSecret", "arn:keys"),
            ("IdentitySecret", "arn:identity"),
            ("WebhooksSecret", "arn:own"),
            ("SegmentQueueUrl", "https://sqs/segment"),
            ("SegmentDeadLetterQueueUrl", "https://sqs/segment-dead"),
            ("WebhookDeadLetterQueueUrl", "https://sqs/webhook-dead"),
            ("RejectedQueueUrl", "https://sqs/rejected"),
            ("TrackEventFailuresUrl", "https://sqs/failures"),
            ("HealthUrl", &self.health.url("http", "/health")),
        ];
        self.described(status, &outputs);
    }

    pub fn described(&self, status: &str, outputs: &[(&str, &str)]) {
        let outputs = outputs.iter().map(|(key, value)| json!({"OutputKey": key, "OutputValue": value}));
        let parameters = self.parameters.iter();
        let parameters = parameters.map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value}));
        let stack = json!({"StackName": "segue", "StackId": "arn:stack", "StackStatus": status,
            "Outputs": outputs.collect::<Vec<_>>(), "Parameters": parameters.collect::<Vec<_>>()});
        self.answers("cloudformation describe-stacks", &json!({"Stacks": [stack]}));
    }

    pub fn findings(&self) -> (Vec<Value>, i32) {
        let path = format!("{}:/usr/bin:/bin", self.folder.path().display());
        findings(&path, "segue", &[])
    }

    /// Asserts that there is exactly one such finding, and that the exit code fits the findings.
    #[track_caller]
    pub fn expect(&self, check: &str, status: &str, found: &str, fix: &str) {
        let (findings, code) = self.findings();
        let fits = |finding: &&Value| {
            finding["check"] == check
                && finding["status"] == status
                && finding["found"].as_str().unwrap().contains(found)
                && finding["fix"].as_str().unwrap_or_default().contains(fix)
        };
        assert_eq!(findings.iter().filter(fits).count(), 1, "{check}: {status}: {found}: {findings:#?}");
        let problems = findings.iter().any(|finding| finding["status"] == "problem");
        assert_eq!(code, i32::from(problems), "{findings:#?}");
    }
}

pub fn findings(path: &str, stack: &str, variables: &[(&str, &str)]) -> (Vec<Value>, i32) {
    let mut command = segue();
    command.args(["doctor", "--stack", stack, "--format", "json"]).env("PATH", path);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

/// The description of a secret with or without a value.
pub fn stored(is_filled: bool) -> Value {
    match is_filled {
        true => json!({"VersionIdsToStages": {"1": ["AWSPREVIOUS"], "2": ["AWSCURRENT"]}}),
        false => json!({"VersionIdsToStages": {"1": ["AWSCURRENT"]}}),
    }
}
