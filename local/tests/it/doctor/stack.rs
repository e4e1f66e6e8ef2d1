//! A stack on AWS, seen through a fake AWS CLI with scripted answers, and through the real one.

mod account;
mod real;

use std::fs;

use serde_json::{Value, json};

use self::account::{Account, findings, stored};
use super::servers::Server;

#[test]
fn a_healthy_stack_has_no_problems_and_is_only_read() {
    let account = Account::new();
    let (findings, code) = account.findings();
    let checks: Vec<_> = findings
        .iter()
        .map(|finding| (finding["check"].as_str().unwrap(), finding["status"].as_str().unwrap()))
        .collect();
    let names =
        ["AWS CLI", "stack", "concurrency", "secret", "secret", "secret", "queues", "alarms", "health"];
    assert_eq!((checks, code), (names.map(|name| (name, "ok")).to_vec(), 0), "{findings:#?}");
    assert!(findings[0]["found"].as_str().unwrap().contains("account 123456789012 and region eu-central-1"));
    let calls = fs::read_to_string(account.folder.path().join("calls")).unwrap();
    for call in calls.lines() {
        let operation = call.split(' ').nth(1).unwrap();
        let only_reads = ["get-", "describe-", "list"].iter().any(|start| operation.starts_with(start));
        assert!(only_reads && operation != "get-secret-value", "{call}");
    }
}

#[test]
fn an_account_with_ten_executions_gets_the_number_that_is_left() {
    let mut account = Account::new();
    account.limit(10);
    account.expect(
        "concurrency",
        "warning",
        "leaves 6 for receiving events (60 requests per second)",
        "L-B99A9384",
    );
    account.parameters[0] = ("SegmentConcurrency", "5");
    account.parameters[1] = ("WebhookConcurrency", "5");
    account.stack("CREATE_COMPLETE");
    account.expect("concurrency", "problem", "can use 10, which leaves none", "lower SegmentConcurrency");
}

#[test]
fn a_failed_deployment_is_reported_with_its_first_cause() {
    let account = Account::new();
    let event = |resource: &str, id: &str, status: &str, reason: &str| {
        json!({"LogicalResourceId": resource, "PhysicalResourceId": id, "ResourceStatus": status,
            "ResourceStatusReason": reason})
    };
    let events = json!([
        event("Other", "o", "UPDATE_FAILED", "Resource update cancelled"),
        event("Version", "v", "CREATE_FAILED", "A version exists"),
        event("segue", "arn:stack", "UPDATE_IN_PROGRESS", "User Initiated"),
        event("Older", "x", "CREATE_FAILED", "long ago"),
    ]);
    account.answers("cloudformation describe-stack-events", &json!({"StackEvents": events}));
    for (status, how) in [
        ("UPDATE_ROLLBACK_COMPLETE", "warning"),
        ("UPDATE_ROLLBACK_FAILED", "problem"),
        ("ROLLBACK_COMPLETE", "problem"),
        ("DELETE_FAILED", "problem"),
    ] {
        account.stack(status);
        account.expect("stack", how, "because of Version: A version exists", "fix the cause");
    }
    account.stack("UPDATE_IN_PROGRESS");
    account.expect("stack", "warning", "a change is in progress", "when it is done");
    account.described("ROLLBACK_COMPLETE", &[]);
    account.expect("stack", "problem", "the first deployment failed because of Version", "delete the stack");
    account.described("REVIEW_IN_PROGRESS", &[]);
    account.expect("stack", "problem", "nothing is deployed yet", "make deploy");
}

#[test]
fn a_stack_of_another_program_is_reported() {
    let account = Account::new();
    account.described("CREATE_COMPLETE", &[("Url", "https://example.com")]);
    account.expect("stack", "problem", "segue is not a stack of Segue", "the name");
}

#[test]
fn an_empty_secret_is_reported_with_its_consequence() {
    let account = Account::new();
    for (secret, status, found) in [
        ("arn:keys", "problem", "WriteKeysSecret is still empty: messages wait"),
        ("arn:identity", "warning", "webhooks of identity providers are rejected"),
        ("arn:own", "ok", "WebhooksSecret is your own secret"),
    ] {
        account.answers(&format!("secretsmanager describe-secret {secret}"), &stored(false));
        let fix = if status == "ok" { "" } else { "put-secret-value" };
        account.expect("secret", status, found, fix);
    }
    let deleted = json!({"DeletedDate": "2026-11-21T04:00:00Z"});
    account.answers("secretsmanager describe-secret arn:own", &deleted);
    account.expect(
        "secret",
        "problem",
        "WebhooksSecret is scheduled for deletion",
        "restore-secret --secret-id arn:own",
    );
}

#[test]
fn messages_in_queues_and_active_alarms_are_reported() {
    let account = Account::new();
    account.queue("segment-dead", [2, 1, 0]);
    account.queue("rejected", [7, 0, 0]);
    account.queue("failures", [0, 0, 1]);
    account.expect("queues", "warning", "SegmentDeadLetterQueue has about 3 messages", "redrive");
    account.expect("queues", "warning", "RejectedQueue has about 7 messages", "correct the sender");
    account.expect("queues", "warning", "TrackEventFailures has about 1 message", "run them again");
    let alarm = |name: &str| json!({"AlarmName": name});
    let alarms = json!({"MetricAlarms": [alarm("segue-FunctionErrorsAlarm-1A"), alarm("segue-x-OtherAlarm-1A")],
        "CompositeAlarms": []});
    account.answers("cloudwatch describe-alarms", &alarms);
    account.expect("alarms", "problem", "FunctionErrorsAlarm is active", "docs/operations.md");
    let (findings, _) = account.findings();
    assert!(!findings.iter().any(|finding| finding["found"].as_str().unwrap().contains("OtherAlarm")));
}

#[test]
fn a_health_check_that_does_not_answer_200_is_a_problem() {
    let mut account = Account::new();
    account.health = Server::answering("503 Service Unavailable", "", "{}");
    account.stack("CREATE_COMPLETE");
    account.expect("health", "problem", "/health answers 503", "docs/operations.md");
}

#[test]
fn an_action_that_is_not_allowed_is_named_and_the_rest_is_checked() {
    let account = Account::new();
    let denied = "\nAn error occurred (AccessDeniedException) when calling the X operation: User: arn:aws:iam::1:user/ines is \
                  not authorized\n";
    for (call, check, action) in [
        ("lambda get-account-settings", "concurrency", "lambda:GetAccountSettings"),
        ("secretsmanager describe-secret arn:keys", "secret", "secretsmanager:DescribeSecret"),
        ("sqs get-queue-attributes rejected", "queues", "sqs:GetQueueAttributes"),
        ("cloudwatch describe-alarms", "alarms", "cloudwatch:DescribeAlarms"),
    ] {
        account.fails(call, denied);
        account.expect(check, "warning", &format!("the credentials do not allow {action}"), "allow");
    }
    account.expect("health", "ok", "answers 200", "");
    account.fails("cloudformation describe-stacks", denied);
    account.expect("stack", "problem", "do not allow cloudformation:DescribeStacks", "allow");
    let (findings, _) = account.findings();
    assert!(!Value::from(findings).to_string().contains("ines"), "no user is named");
}

#[test]
fn an_aws_cli_that_cannot_be_used_is_the_only_finding() {
    let account = Account::new();
    for (error, found) in [
        ("Unable to locate credentials.", "has no credentials"),
        ("\nAn error occurred (ExpiredToken) when calling …", "rejects the credentials: ExpiredToken"),
        ("You must specify a region.", "has no region"),
        ("Could not connect to the endpoint URL: \"https://…\"", "cannot reach AWS"),
        ("Segmentation fault", "the AWS CLI failed: Segmentation fault"),
    ] {
        account.fails("sts get-caller-identity", error);
        account.expect("AWS CLI", "problem", found, "");
        assert_eq!(account.findings().0.len(), 1);
    }
    let (findings, code) = findings("/nowhere", "segue", &[]);
    let found = findings[0]["found"].as_str().unwrap();
    assert!(found.contains("is not installed: no aws on PATH"), "{found}");
    assert_eq!((findings.len(), code), (1, 1));
}

#[test]
fn an_answer_that_is_not_json_does_not_crash_the_doctor() {
    let account = Account::new();
    account.says("lambda get-account-settings", "<html>");
    account.expect("concurrency", "warning", "its answer is not JSON", "");
    for answer in ["", "[]", "7", r#"{"Stacks":[]}"#] {
        account.says("cloudformation describe-stacks", answer);
        let (findings, code) = account.findings();
        assert_eq!((findings.last().unwrap()["status"].as_str(), code), (Some("problem"), 1), "{findings:?}");
    }
}
