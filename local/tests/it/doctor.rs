//! `segue doctor`: it finds each common mistake and its fix, and reports nothing else.

mod identity;
mod machine;
mod segment;
mod servers;
mod stack;
mod warehouse;
mod webhooks;

use std::process::Output;

use serde_json::{Value, json};

use crate::{process::segue, terminal::in_terminal};

/// Runs it, with a free port and a fresh folder unless the arguments name others.
fn doctor(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let data = tempfile::tempdir().unwrap();
    let mut command = segue();
    command.arg("doctor").args(arguments).envs(variables.iter().copied());
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    if !arguments.contains(&"--data-dir") {
        command.arg("--data-dir").arg(data.path().join("segue"));
    }
    let output = command.output().unwrap();
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0, "it leaves no trace");
    output
}

/// Returns its findings and its exit code.
fn findings(arguments: &[&str], variables: &[(&str, &str)]) -> (Vec<Value>, i32) {
    let output = doctor(&[arguments, &["--format", "json"]].concat(), variables);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (lines, output.status.code().unwrap())
}

/// Asserts that there is exactly one such finding, and that the exit code fits the findings.
fn expect(arguments: &[&str], check: &str, status: &str, found: &str, fix: &str) {
    let (findings, code) = findings(arguments, &[]);
    let fits = |finding: &&Value| {
        finding["check"] == check
            && finding["status"] == status
            && finding["found"].as_str().unwrap().contains(found)
            && finding["fix"].as_str().unwrap_or_default().contains(fix)
    };
    assert_eq!(findings.iter().filter(fits).count(), 1, "{arguments:?}: {status}: {found}: {findings:#?}");
    let problems = findings.iter().filter(|finding| finding["status"] == "problem").count();
    assert_eq!(code, i32::from(problems > 0), "{findings:#?}");
    if status == "problem" {
        let others =
            findings.iter().filter(|finding| finding["status"] == "problem" && finding["check"] != check);
        let offline = |finding: &&Value| finding["found"].as_str().unwrap().contains("no address found for");
        assert_eq!(others.filter(|finding| !offline(finding)).count(), 0, "{arguments:?}: {findings:#?}");
    }
}

#[test]
fn a_new_user_has_no_problems() {
    let (findings, code) = findings(&[], &[]);
    let expected = [
        ("data directory", "ok"),
        ("address", "ok"),
        ("page", "ok"),
        ("Segment", "ok"),
        ("write key", "ok"),
        ("webhook", "ok"),
        ("warehouse", "ok"),
        ("clock", "skipped"),
        ("authentication", "warning"),
        ("mapping", "ok"),
        ("Public API", "ok"),
        ("environment", "ok"),
    ];
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding["check"].as_str().unwrap(), finding["status"].as_str().unwrap()))
        .collect();
    assert_eq!((&found[..], code), (&expected[..], 0));
    assert!(findings.iter().all(|finding| (finding["status"] == "warning") == finding["fix"].is_string()));
}

#[test]
fn text_output_has_a_line_for_each_finding_and_its_fix_below() {
    let output = doctor(&["--write-key", "'x'", "--segment-endpoint", "http://127.0.0.1:9"], &[]);
    let (text, error) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(text.starts_with("ok       data directory  "), "{text}");
    assert!(text.contains("\nproblem  write key       it has quotes in it"), "{text}");
    assert!(text.contains("\n                         → copy it from Segment: Connections"), "{text}");
    assert_eq!(error, "segue: 2 problems found; the fix is under each one\n");
    assert_eq!(output.status.code(), Some(1));
    let output = doctor(&["--identity-secret", r#"{"auth0":{"bearer":"0kZ8vTq3RrWm5yXc7Lp2"}}"#], &[]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "segue: no problems found\n");
}

#[test]
fn no_secret_is_ever_printed() {
    let secret = "hunter2-hunter2 hunter2";
    let identity = json!({"fusionauth": {"signingSecrets": [secret]}, "auth0": {"bearer": secret}, "hashKey": secret,
        "okta": {"header": {"name": "x", "value": secret}}, "clerk": {"basic": {"username": "u", "password": secret}}});
    let webhooks = json!({"sharedSecret": secret, "webhooks": [{"url": "http://127.0.0.1:9/?token=hunter2",
        "headers": {"X-Key": secret}}]});
    for format in ["text", "json"] {
        let (identity, webhooks) = (identity.to_string(), webhooks.to_string());
        for arguments in [
            &["--write-key", secret, "--identity-secret", &identity, "--webhooks-secret", &webhooks][..],
            &["--write-key", "{\"default\":\"hunter2", "--identity-secret", "{\"auth0\":\"hunter2\"}"],
            &[
                "--webhooks-secret",
                "{\"sharedSecret\":{\"hunter2\":1}}",
                "--public-api-token",
                secret,
                "--allow-unsigned",
            ],
        ] {
            let output = doctor(
                &[arguments, &["--format", format, "--segment-endpoint", "http://127.0.0.1:9"]].concat(),
                &[],
            );
            let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(1), "{text}");
            assert!(!text.contains("hunter2"), "{arguments:?}: {text}");
        }
    }
}

#[test]
fn a_terminal_gets_colored_marks() {
    let data = tempfile::tempdir().unwrap();
    let marked = |variables: &[(&str, &str)]| {
        let mut command = in_terminal(variables);
        command.args(["doctor", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let text = marked(&[]);
    assert!(text.contains("\u{1b}[32m✓\u{1b}[0m data directory") && text.contains("\u{1b}[33m!"), "{text}");
    let text = marked(&[("NO_COLOR", "1")]);
    assert!(text.starts_with("ok       data directory") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn a_setting_that_cannot_be_parsed_is_a_usage_error() {
    let output = doctor(&[], &[("SEGMENT_ENDPOINT", "api.segment.io")]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("an http or https URL such as https://api.segment.io"), "{error}");
}
