//! `segue map` and `segue track-event`.

use serde_json::Value;
use testkit::{Answer, FakeServer};

use crate::{
    process::{Server, sample},
    program::{run, text},
};

/// The first `cargo run` must not spend minutes on dependencies of the Lambda functions.
#[test]
fn the_program_is_built_without_the_aws_sdk() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--offline", "-p", "segue", "--edges", "normal,build", "--prefix", "none"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = text(&tree.stdout);
    assert!(tree.contains("rusqlite ") && !tree.contains("aws") && !tree.contains("lambda_"), "{tree}");
}

#[test]
fn map_prints_the_messages_of_a_body_and_sends_nothing() {
    let file = sample("identity-webhook/bodies/fusionauth.user.login.success.json");
    let from_file = run(&["map", "fusionauth", file.to_str().unwrap()], b"");
    let from_input = run(&["map", "fusionauth"], &std::fs::read(&file).unwrap());
    assert!(from_file.status.success());
    assert_eq!(from_file.stdout, from_input.stdout);
    let message: Value = serde_json::from_slice(&from_file.stdout).unwrap();
    assert_eq!(message["event"], "user.login.success");
}

#[test]
fn map_prints_the_rule_of_a_message_and_the_fields_kept_back() {
    let file = sample("identity-webhook/bodies/fusionauth.user.create.complete.json");
    let output = run(&["map", "fusionauth", file.to_str().unwrap()], b"");
    let error = text(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert!(
        error.starts_with(
            "segue: identify of \"user.create.complete\", by the rule at providers/fusionauth.toml:"
        ),
        "{error}"
    );
    assert!(error.contains("; kept back: ") && error.contains("profile.data."), "{error}");
}

/// Users read it as documentation, and start their own mapping from it.
#[test]
fn the_printed_built_in_mapping_is_a_valid_mapping() {
    let printed = run(&["mappings"], b"");
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("all.toml");
    std::fs::write(&mapping, &printed.stdout).unwrap();
    let file = sample("identity-webhook/bodies/fusionauth.user.login.success.json");
    let (file, mapping) = (file.to_str().unwrap(), mapping.to_str().unwrap());
    let output = run(&["map", "fusionauth", file, "--mappings", mapping], b"");
    assert_eq!(output.stdout, run(&["map", "fusionauth", file], b"").stdout);
    assert!(text(&output.stderr).contains("all.toml:"), "{}", text(&output.stderr));
}

#[test]
fn map_uses_the_users_own_mapping() {
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("mine.toml");
    let rules = "naming = 'segment'\nfields.'context.ip' = 'mask'\nfields.'userId' = 'hash'\n";
    std::fs::write(&mapping, rules).unwrap();
    let body = br#"{"type":"user.login.success","info":{"ipAddress":"203.0.113.7"},"user":{"id":"u1"}}"#;
    let secret = r#"{"hashKey":"k"}"#;
    let arguments =
        ["map", "fusionauth", "--mappings", mapping.to_str().unwrap(), "--identity-secret", secret];
    let output = run(&arguments, body);
    let message: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&message["event"], &message["context"]["ip"]), (&"Signed In".into(), &"203.0.113.0".into()));
    assert_eq!(message["userId"].as_str().unwrap().len(), 64);
}

#[test]
fn map_prints_why_a_body_makes_no_message_and_ends_with_1() {
    let file = sample("identity-webhook/bodies/fusionauth.group.member.add.complete.json");
    let output = run(&["map", "fusionauth", file.to_str().unwrap()], b"");
    assert!(output.status.code() == Some(1) && output.stdout.is_empty());
    let expected = "segue: an event makes no message: the event type \"group.member.add.complete\" is not mapped.\n\
                    segue: no message would be sent; segue mappings prints the built-in rules, and --mappings adds your own\n";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn map_names_the_rule_that_ignores_an_event() {
    let folder = tempfile::tempdir().unwrap();
    let mapping = folder.path().join("mine.toml");
    std::fs::write(&mapping, "[fusionauth.on]\n\"user.deactivate\" = { ignore = true }\n").unwrap();
    let file = sample("identity-webhook/bodies/fusionauth.user.deactivate.json");
    let mapping = mapping.to_str().unwrap();
    let output = run(&["map", "fusionauth", file.to_str().unwrap(), "--mappings", mapping], b"");
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "segue: an event makes no message: the event type \"user.deactivate\" is ignored by the rule at {mapping}:2:1.\n"
    );
    assert!(text(&output.stderr).starts_with(&expected), "{}", text(&output.stderr));
}

#[test]
fn map_reports_an_implausible_time() {
    let body = br#"{"type":"user.login.success","createInstant":7,"user":{"id":"u1"}}"#;
    let output = run(&["map", "fusionauth"], body);
    let message: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(message["originalTimestamp"], "1970-01-01T00:00:07.000Z");
    let error = text(&output.stderr);
    let expected = "segue: the time of an event lies before 2000 or more than a day ahead; the message uses the time of receipt instead.\n";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn a_failing_command_prints_why_and_ends_with_1() {
    for (arguments, input, expected) in [
        (&["map", "nobody"][..], &b"{}"[..], "there is no provider \"nobody\""),
        (&["map", "fusionauth"], b"nonsense", "the body is not JSON"),
        (&["map", "fusionauth", "/nowhere.json"], b"", "/nowhere.json cannot be read"),
        (&["track-event"], b"{\"event\":\"e\"}", "MissingField: user_id"),
        (&["track-event"], b"[]", "InvalidField: "),
    ] {
        let output = run(arguments, input);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let error = text(&output.stderr);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn track_event_sends_a_sample_and_prints_the_answer() {
    let fake = FakeServer::healthy().await;
    let file = sample("track-event/order-completed.json");
    let arguments =
        ["track-event", file.to_str().unwrap(), "--segment-endpoint", &fake.url(), "--write-key", "key"];
    let output = run(&arguments, b"");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["success"], true);
    assert_eq!(fake.taken()[0].0, "key");
    assert_eq!(fake.taken()[0].1["event"], answer["event"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn track_event_reports_that_segment_rejects_the_write_key() {
    let fake = FakeServer::start(|_| Answer::status(401)).await;
    let arguments = ["track-event", "--segment-endpoint", &fake.url(), "--write-key", "hunter2"];
    let output = run(&arguments, br#"{"user_id":"u","event":"e"}"#);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("InvalidWriteKey") && !error.contains("hunter2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_track_event_goes_to_the_running_stand_in() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let listen = server.base.trim_start_matches("http://");
    let output = run(&["track-event", "--listen", listen], br#"{"user_id":"u","event":"Signed Up"}"#);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(server.messages(1).await[0]["message"]["event"], "Signed Up");
}
