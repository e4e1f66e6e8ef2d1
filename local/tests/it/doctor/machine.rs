//! This machine: the store, the address, the page, the environment.

use std::{path::Path, time::Duration};

use serde_json::json;

use super::{expect, findings, servers::Server};
use crate::process;

#[test]
fn a_running_server_is_recognized() {
    let data = tempfile::tempdir().unwrap();
    let server = process::Server::start(data.path(), &[]);
    let listen = server.base.trim_start_matches("http://");
    let directory = data.path().to_str().unwrap();
    let arguments = ["--data-dir", directory, "--listen", listen];
    expect(
        &arguments,
        "data directory",
        "ok",
        &format!("the segue serve at {listen} is using {directory}"),
        "",
    );
    expect(&arguments, "address", "ok", "segue serve is running at 127.0.0.1:", "");
    let elsewhere = ["--data-dir", directory];
    expect(
        &elsewhere,
        "data directory",
        "warning",
        "is in use, but no segue serve answers",
        "pass its address with --listen",
    );
}

#[test]
fn a_store_that_cannot_be_used_is_a_problem() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().to_str().unwrap();
    let arguments = ["--data-dir", directory];
    process::Server::start(data.path(), &[]).terminate();
    expect(&arguments, "data directory", "ok", "can be written; 0 messages waiting", "");
    std::fs::write(data.path().join("segue.db"), "no database").unwrap();
    expect(
        &arguments,
        "data directory",
        "problem",
        "segue.db cannot be read: file is not a database",
        "keep a copy",
    );
    let file = Path::new(directory).join("segue.db/below");
    expect(
        &["--data-dir", file.to_str().unwrap()],
        "data directory",
        "problem",
        "is not a folder",
        "--data-dir",
    );
    if cfg!(target_os = "linux") {
        expect(
            &["--data-dir", "/proc/segue"],
            "data directory",
            "problem",
            "/proc cannot be written",
            "permissions",
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_reported() {
    let data = tempfile::tempdir().unwrap();
    let gone = Server::answering("410 Gone", "", "");
    let server = process::Server::start(
        data.path(),
        &["--webhook", &gone.url("http", "/"), "--allow-private-webhooks"],
    );
    assert_eq!(server.webhook(&process::login("1")).await.status(), 200);
    while server.queue("webhooks").await["deadLetters"].as_array().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.terminate();
    let arguments = ["--data-dir", data.path().to_str().unwrap()];
    expect(
        &arguments,
        "data directory",
        "warning",
        "0 messages waiting, 1 dead letter",
        "segue redrive --dry-run",
    );
}

#[test]
fn an_address_that_serve_cannot_use_is_a_problem() {
    let other = Server::answering("200 OK", "", "{}");
    let silent = Server::silent();
    for (listen, found) in [
        (other.address(), "another program listens at 127.0.0.1:"),
        (silent.address(), "another program listens at 127.0.0.1:"),
        ("203.0.113.1:3000".to_owned(), "203.0.113.1 is not an address of this machine"),
    ] {
        expect(
            &[
                "--listen",
                &listen,
                "--allow-unsigned",
                "--segment-endpoint",
                &other.url("http", ""),
                "--write-key",
                "abcdefghijklmnopqrstuvwxyz012345",
            ],
            "address",
            "problem",
            found,
            "",
        );
    }
    expect(
        &["--listen", "0.0.0.0:0"],
        "authentication",
        "problem",
        "other machines can reach",
        "IDENTITY_SECRET",
    );
    let stand_in = ["--listen", "127.0.0.1:0", "--allow-unsigned"];
    expect(
        &stand_in,
        "authentication",
        "warning",
        "anyone who reaches the address can send webhooks without authentication",
        "remove --allow-unsigned",
    );
}

#[test]
fn a_page_that_is_open_to_other_machines_is_reported() {
    let everyone = ["--page", "everyone", "--allow-unsigned"];
    let open = [&everyone[..], &["--listen", "0.0.0.0:0"]].concat();
    expect(&["--page", "off"], "page", "ok", "off", "");
    expect(&everyone, "page", "ok", "everyone who reaches this address and has the token", "");
    expect(&[], "page", "ok", "open to this machine", "");
    let configured = ["--fusionauth-signing-secret", "segue-sample-signing-secret-do-not-use"];
    expect(&configured, "page", "ok", "everyone who is on this machine and has the token", "");
    expect(&open, "page", "warning", "crosses the network unencrypted", "put a TLS proxy in front");
    let short = [&everyone[..], &["--page-token", "hunter2"]].concat();
    expect(&short, "page", "problem", "SEGUE_PAGE_TOKEN is not usable", "unset it");
}

#[test]
fn variables_that_nothing_reads_are_reported() {
    for (name, found, fix) in [
        ("SEGMENT_WRITEKEY", "SEGMENT_WRITEKEY is set, but Segue does not read it", "set SEGMENT_WRITE_KEY"),
        ("FUSIONAUTH_SECRET", "FUSIONAUTH_SECRET is set", "FUSIONAUTH_SIGNING_SECRET"),
        ("AUTH0_TOKEN", "AUTH0_TOKEN is set", "IDENTITY_SECRET with a member auth0"),
        ("CLERK_SIGNING_SECRET", "CLERK_SIGNING_SECRET is set", "IDENTITY_SECRET with a member clerk"),
        ("OKTA_TOKEN", "OKTA_TOKEN is set", "IDENTITY_SECRET with a member okta"),
        ("COGNITO_USER_POOL_ID", "COGNITO_USER_POOL_ID is set", "CognitoUserPoolArn"),
        ("SEGMENT_KEY", "SEGMENT_KEY is set", "set SEGMENT_WRITE_KEY"),
        ("WRITE_KEY", "WRITE_KEY is set", "set SEGMENT_WRITE_KEY"),
        ("MAPPINGS", "but only the functions on AWS read it", "set SEGUE_MAPPINGS"),
        ("HTTPS_PROXY", "Segue connects directly", "reaches the destinations directly"),
    ] {
        let (findings, code) = findings(&[], &[(name, "hunter2")]);
        let finding = findings.iter().find(|finding| finding["check"] == "environment").unwrap();
        assert_eq!((&finding["status"], code), (&json!("warning"), 0));
        assert!(
            finding["found"].as_str().unwrap().contains(found)
                && finding["fix"].as_str().unwrap().contains(fix),
            "{finding}"
        );
        assert!(!finding.to_string().contains("hunter2"));
    }
}
