//! One secret for all providers: adding an entry keeps the others, and no secret stands on the command line.

use std::{os::unix::fs::PermissionsExt, process::Command};

use serde_json::{Value, json};

use crate::{
    process::{Server, sample},
    program::{run, run_with, text},
};

const ADD: [&str; 2] = ["secret", "add"];

/// The secret that a run prints.
fn added(arguments: &[&str], secret: &str) -> Value {
    let output = run(&[&ADD, arguments].concat(), secret.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn following_the_pages_of_two_providers_makes_one_secret_for_both() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.txt");
    std::fs::write(&key, "0kZ8vTq3RrWm5yXc7Lp2\n").unwrap();
    // The stack's template stores `{}` first.
    let first = added(&["fusionauth", "--from", key.to_str().unwrap()], "{}");
    assert_eq!(first, json!({"fusionauth": {"signingSecrets": ["0kZ8vTq3RrWm5yXc7Lp2"]}}));
    let both = added(&["auth0", "--generate"], &first.to_string());
    let token = both["auth0"]["bearer"][0].as_str().unwrap();
    assert_eq!((&both["fusionauth"], token.len()), (&first["fusionauth"], 44));
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--identity-secret", &both.to_string()]);
    let body = std::fs::read(sample("identity-webhook/bodies/auth0.events.user.created.json")).unwrap();
    let request = server.http.post(format!("{}/identity/auth0/events", server.base)).bearer_auth(token);
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(server.banner.contains("auth0, fusionauth: signature or token required"), "{}", server.banner);
}

#[test]
fn a_misspelled_member_of_the_secret_is_named_by_serve_map_and_doctor() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("segue");
    let here = ["--listen", "127.0.0.1:0", "--data-dir", directory.to_str().unwrap()];
    let secret = r#"{"fusionauth":{"signingSecret":"hush"},"auth0":{"bearer":"hush"}}"#;
    for arguments in
        [&["map", "fusionauth"][..], &[&["doctor"], &here[..]].concat(), &[&["serve"], &here[..]].concat()]
    {
        let output = run_with(arguments, &[("IDENTITY_SECRET", secret)], b"{}");
        let said = [text(&output.stdout), text(&output.stderr)].concat();
        let expected = "fusionauth: there is no \"signingSecret\"; did you mean \"signingSecrets\"?";
        assert!(said.contains(expected) && !said.contains("hush"), "{arguments:?}: {said}");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn an_entry_is_replaced_only_with_replace_and_no_secret_is_printed() {
    let secret = r#"{"auth0":{"bearer":"hush"},"hashKey":"hush-hush","okta":{"bearer":"hush"}}"#;
    for (arguments, input, expected) in [
        (&["auth0", "--generate"][..], secret, "the secret has auth0 already; to replace it, use --replace"),
        (&["hashKey", "--generate"], secret, "the secret has hashKey already"),
        (&["fusionauht", "--generate"], secret, "did you mean \"fusionauth\"?"),
        (&["clerk", "--generate"], secret, "clerk generates its signing secret itself"),
        (&["fusionauth", "--generate"], "", "the secret to add to is empty; to start a new one, pass {}"),
        (&["fusionauth", "--generate"], "None\n", "the existing secret cannot be used"),
        (&["fusionauth", "--generate"], r#"{"auht0":{"bearer":"hush"}}"#, "did you mean \"auth0\"?"),
        (&["fusionauth", "--from", "-"], secret, "name a file with --from"),
    ] {
        let output = run(&[&ADD, arguments].concat(), input.as_bytes());
        let error = text(&output.stderr);
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]), "{arguments:?}: {error}");
        assert!(error.contains(expected) && !error.contains("hush"), "{arguments:?}: {error}");
    }
    let replaced = added(&["auth0", "--generate", "--replace"], secret);
    assert_ne!(replaced["auth0"]["bearer"][0], "hush");
    assert_eq!((&replaced["okta"], &replaced["hashKey"]), (&json!({"bearer": "hush"}), &json!("hush-hush")));
    let keys = added(&["fusionauth", "--jwks-url", "https://auth.example.com/.well-known/jwks.json"], secret);
    assert_eq!(keys["fusionauth"]["jwksUrl"], "https://auth.example.com/.well-known/jwks.json");
}

#[test]
fn a_file_is_written_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.json");
    let name = file.to_str().unwrap();
    for provider in ["auth0", "okta"] {
        let output = run(&["secret", "add", provider, name, "--generate", "--write"], b"");
        assert_eq!(
            (output.status.code(), &output.stdout[..]),
            (Some(0), &b""[..]),
            "{}",
            text(&output.stderr)
        );
        // Even if others could read it before.
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let secret: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(secret["auth0"]["bearer"][0].is_string() && secret["okta"]["bearer"][0].is_string(), "{secret}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Runs a command line in a pseudo-terminal, and types the variable TYPED when it is asked.
const TYPIST: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
while b"not shown" not in seen:
    seen += os.read(terminal, 1024)
os.write(terminal, os.environb[b"TYPED"])
try:
    while True:
        more = os.read(terminal, 1024)
        if not more:
            break
        seen += more
except OSError:
    pass
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn a_secret_that_is_typed_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.json");
    let typist = |typed: &str| {
        let mut command = Command::new("python3");
        command.args(["-c", TYPIST, env!("CARGO_BIN_EXE_segue"), "secret", "add", "fusionauth"]).arg(&file);
        command.arg("--write").env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("TYPED", typed).output().unwrap()
    };
    let interrupted = typist("half\u{3}");
    assert_eq!(interrupted.status.code(), Some(130), "{}", text(&interrupted.stderr));
    assert!(!file.exists());
    let output = typist("typed-secret\n");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(!text(&output.stdout).contains("typed-secret"), "{}", text(&output.stdout));
    let secret: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(secret, json!({"fusionauth": {"signingSecrets": ["typed-secret"]}}));
    // Without a file it adds to the variable, and prints the new value.
    let mut command = Command::new("python3");
    command.args(["-c", TYPIST, env!("CARGO_BIN_EXE_segue"), "secret", "add", "fusionauth"]).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("TYPED", "typed-secret\n");
    let output = command.env("IDENTITY_SECRET", r#"{"okta":{"bearer":"b"}}"#).output().unwrap();
    let expected = r#"{"okta":{"bearer":"b"},"fusionauth":{"signingSecrets":["typed-secret"]}}"#;
    assert!(text(&output.stdout).contains(expected), "{}", text(&output.stdout));
}

#[test]
fn without_a_terminal_other_sources_of_a_secret_are_named() {
    let mut command = Command::new("setsid");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret.json");
    command.args([
        "-w",
        env!("CARGO_BIN_EXE_segue"),
        "secret",
        "add",
        "auth0",
        file.to_str().unwrap(),
        "--write",
    ]);
    let output = command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("name a file with --from, or use --generate"),
        "{}",
        text(&output.stderr)
    );
}
