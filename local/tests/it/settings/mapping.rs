//! Mappings with a typo.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    process::{Server, sample},
    program::{run, run_with, text},
};

const KEY: &str = "IDENTITY_SECRET";

/// A file with these rules, and the folder that it is in.
fn mapping(rules: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, rules).unwrap();
    (folder, file)
}

fn user_created() -> Vec<u8> {
    std::fs::read(sample("identity-webhook/bodies/fusionauth.user.create.complete.json")).unwrap()
}

#[test]
fn a_field_that_no_rule_sets_stops_every_command_that_maps() {
    let (folder, file) = mapping("[fields]\n\"traits.emial\" = \"hash\"\n");
    let file = file.to_str().unwrap();
    let (data, users) = (folder.path().join("data"), sample("backfill/auth0.users.json"));
    let expected = "mine.toml:2:1: no rule sets \"traits.emial\", so this protects nothing; did you mean \"traits.email\"?";
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()][..],
        &["map", "fusionauth"],
        &["doctor", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()],
        &["backfill", "auth0", users.to_str().unwrap(), "--dry-run", "--deployment", "d"],
    ] {
        let output = run(&[arguments, &["--mappings", file]].concat(), &user_created());
        let said = [text(&output.stdout), text(&output.stderr)].concat();
        assert!(said.contains(expected), "{arguments:?}: {said}");
        assert!(!said.contains("annika@example.com"), "{said}");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn map_shows_a_placeholder_for_a_hash_and_reports_the_missing_key() {
    let (_folder, file) = mapping("fields.'traits.email' = 'hash'");
    let arguments = ["map", "fusionauth", "--mappings", file.to_str().unwrap()];
    for (secret, email, said) in [
        (r"{}", "<hash>", "segue: the mapping hashes a field, but the identity secret has no hashKey; "),
        (
            r#"{"hashKey":"abc"}"#,
            "a hash",
            "segue: hashKey has fewer than 16 characters, so it can be guessed",
        ),
        (r#"{"hashKey":"0kZ8vTq3RrWm5yXc7Lp2"}"#, "a hash", "segue: identify of "),
    ] {
        let output = run_with(&arguments, &[(KEY, secret)], &user_created());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let message: Value = serde_json::from_slice(&output.stdout).unwrap();
        let shown = message["traits"]["email"].as_str().unwrap();
        assert!(shown == email || email == "a hash" && shown.len() == 64, "{message}");
        assert!(text(&output.stderr).starts_with(said), "{}", text(&output.stderr));
        assert!(!text(&output.stderr).contains("abc"), "{}", text(&output.stderr));
    }
}

#[tokio::test]
async fn a_misspelled_event_type_is_reported_by_serve_map_and_doctor() {
    let (_folder, file) = mapping("fusionauth.on.\"user.login.succes\".track = {}");
    let expected = "mine.toml:1:15: fusionauth is not known to send ";
    let (mappings, data) = (["--mappings", file.to_str().unwrap()], tempfile::tempdir().unwrap());
    let output = run(&[&["map", "fusionauth"], &mappings[..]].concat(), &user_created());
    assert!(output.status.success() && text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    let directory = data.path().join("segue");
    let here = ["doctor", "--listen", "127.0.0.1:0", "--data-dir", directory.to_str().unwrap()];
    let output = run(&[&here, &mappings[..]].concat(), b"");
    assert!(output.status.success(), "{}", text(&output.stdout));
    let found = format!("warning  mapping         {}", file.display());
    assert!(text(&output.stdout).contains(&found), "{}", text(&output.stdout));
    let log = Server::start(data.path(), &mappings).log();
    assert!(log.contains(expected) && log.contains("user.login.success"), "{log}");
}

#[tokio::test]
async fn serve_logs_a_weak_hash_key() {
    let (_folder, file) = mapping("fields.'traits.email' = 'hash'");
    let data = tempfile::tempdir().unwrap();
    let secret = r#"{"hashKey":"hush"}"#;
    let log =
        Server::start(data.path(), &["--mappings", file.to_str().unwrap(), "--identity-secret", secret])
            .log();
    assert!(log.contains("hashKey has fewer than 16 characters") && !log.contains("hush"), "{log}");
}

#[test]
fn map_names_the_built_in_rule_that_a_users_rule_replaces() {
    for (rules, expected) in [
        (
            "fusionauth.on.\"user.create.complete\".track = { event = \"Made\" }",
            ":46; replaces the built-in rule at providers/fusionauth.toml:LINE:35, which also had the call identify\n",
        ),
        (
            "fusionauth.on.\"user.create.complete\".identify = { event = \"Made\" }",
            "; replaces the built-in rule at providers/fusionauth.toml:LINE:35, which also had traits\n",
        ),
        (
            "fusionauth.on.\"user.create.complete\".identify = { traits = { email = \"profile.email\" } }",
            "; replaces the built-in rule at providers/fusionauth.toml:LINE:35; kept back",
        ),
        ("naming = \"segment\"", ":35; kept back"),
    ] {
        let (_folder, file) = mapping(rules);
        let output = run(&["map", "fusionauth", "--mappings", file.to_str().unwrap()], &user_created());
        let said = text(&output.stderr);
        let line = said.split("fusionauth.toml:").nth(1).unwrap().split(':').next().unwrap();
        assert!(said.contains(&expected.replace("LINE", line)), "{expected}: {said}");
    }
}
