//! The behavior that all commands share: help, exit codes, errors and pipes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    process::{Server, sample, segue},
    program::{self, run, text},
};

/// Commands that run until they are stopped, with the beginning of their output.
const STAY: [(&str, &str); 2] = [("serve", "Segue "), ("tail", "")];

/// Every command that `segue --help` lists.
fn commands() -> Vec<String> {
    let help = run(&["--help"], b"");
    let list = text(&help.stdout).split_once("Commands:\n").unwrap().1.split("\n\n").next().unwrap();
    let names = list.lines().map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

/// The part of a help text under this heading.
fn section<'t>(help: &'t str, heading: &str) -> &'t str {
    let after = help.split_once(heading).unwrap_or_else(|| panic!("no {heading} in {help}")).1;
    after.split("\n\n").next().unwrap()
}

/// Runs a line of bash in `folder`, which has the samples, with this store and this address of the server.
fn bash(line: &str, folder: &Path, data: &Path, listen: &str) -> Command {
    let mut command = program::bash();
    command.args(["-c", line]).current_dir(folder);
    command.env("SEGUE_DATA_DIR", data).env("SEGUE_LISTEN", listen);
    command
}

#[tokio::test]
async fn every_example_of_every_help_works() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(sample(""), folder.path().join("events")).unwrap();
    let server = Server::start(data.path(), &[]);
    let listen = server.base.trim_start_matches("http://");
    let login = std::fs::read(sample("identity-webhook/bodies/fusionauth.user.login.success.json")).unwrap();
    server.post("/identity/fusionauth", login).await;
    let commands = commands();
    assert!(commands.len() >= 6, "{commands:?}");
    for name in &commands {
        let help = run(&[name, "--help"], b"");
        let examples = section(text(&help.stdout), "Examples:\n");
        let examples: Vec<&str> =
            examples.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect();
        assert!(!examples.is_empty() && examples.iter().all(|line| line.contains(&format!("segue {name}"))));
        // The examples with --stack need AWS, and those with --warehouse a database. The tests of these have one.
        let needs_more = |line: &&str| line.contains("--stack") || line.contains("--warehouse");
        for example in examples.into_iter().filter(|line| !needs_more(line)) {
            if let Some((_, words)) = STAY.iter().find(|(command, _)| command == name) {
                let fresh = tempfile::tempdir().unwrap();
                let mut command = bash(example, folder.path(), fresh.path(), "127.0.0.1:0");
                starts(command.env("SEGUE_URL", &server.base), words, example);
            } else {
                let output = bash(example, folder.path(), data.path(), listen).output().unwrap();
                assert!(output.status.success(), "{example}: {}", text(&output.stderr));
            }
        }
    }
}

/// Asserts that the command prints its first line, and ends on SIGINT.
fn starts(command: &mut Command, expected: &str, example: &str) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap();
    let mut words = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut words).unwrap();
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    let ended = child.wait().unwrap();
    assert!(ended.success() || ended.signal() == Some(2), "{example}: {ended} {error}");
    assert!(words.trim().len() > 10 && words.starts_with(expected), "{example}: {words} {error}");
}

#[test]
fn every_help_explains_the_exit_codes() {
    for name in commands() {
        let help = run(&[&name, "--help"], b"");
        let codes = section(text(&help.stdout), "Exit codes:\n");
        let codes: Vec<&str> = codes.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
        assert!(codes.starts_with(&["0", "1", "2"]), "{name}: {codes:?}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_a_failure_with_1() {
    let data = tempfile::tempdir().unwrap();
    let nowhere = data.path().to_str().unwrap();
    for (arguments, code, expected) in [
        (&["mop"][..], 2, "tip: "),
        (&["map"], 2, "PROVIDER"),
        (&["serve", "--listen", "here"], 2, "--listen <ADDRESS>"),
        (&["serve", "--segment-endpoint", "api.segment.io"], 2, "such as https://api.segment.io"),
        (&["redrive", "--since", "soon"], 2, "it must be a time such as 2026-11-21T04:00:00Z"),
        (&["redrive", "--type", "buy"], 2, "it must be identify, track"),
        (&["backfill"], 2, "Commands:"),
        (&["backfill", "auth0"], 2, "<FILE>"),
        (&["completions", "cmd"], 2, "bash, elvish, fish, powershell, zsh"),
        (&["--log-format", "xml"], 2, "[possible values: text, json]"),
        (&["redrive", "--data-dir", nowhere], 1, "pass its folder with --data-dir"),
        (&["map", "fusionauth", "--mappings", "/no.toml"], 1, "correct the path in --mappings"),
        (&["map", "fusionauth", "/no.json"], 1, "check the path, or pass - to read standard input"),
        (&["map", "fusionauth", "--identity-secret", "x"], 1, "IDENTITY_SECRET is not usable: "),
        (&["map", "fusionauth"], 1, "standard input: the body is empty"),
        (
            &["serve", "--data-dir", "/dev/null/x"],
            1,
            "/dev/null/x: the data directory cannot be created; choose",
        ),
    ] {
        let output = run(arguments, b"");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(expected), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}: errors go to standard error");
    }
}

#[test]
fn a_broken_store_is_reported_with_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("segue.db"), "this is no database, and long enough to be seen as none")
        .unwrap();
    for command in ["serve", "redrive"] {
        let output = segue()
            .args([command, "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            .output()
            .unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains("file is not a database") && error.contains("choose another with --data-dir"),
            "{error}"
        );
    }
}

#[test]
fn an_event_for_a_stand_in_that_is_not_running_fails_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let event = sample("track-event/order-completed.json");
    let output = run(&["track-event", event.to_str().unwrap(), "--listen", &free], b"");
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("start segue serve in another terminal") && error.contains(&free), "{error}");
}

#[test]
fn a_redrive_reports_that_there_are_no_dead_letters() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let listen = server.base.trim_start_matches("http://");
    let data = data.path().to_str().unwrap();
    for (choice, expected) in [
        (&[][..], "segue: there are no dead letters\n"),
        (&["--dry-run", "--type", "track"], "no dead letter matches these options; segue redrive --dry-run"),
    ] {
        let output = run(&[&["redrive", "--data-dir", data, "--listen", listen], choice].concat(), b"");
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("\"redriven\": 0"));
    }
}

#[test]
fn a_reader_that_closes_the_output_is_no_failure() {
    let body = sample("identity-webhook/bodies/fusionauth.user.login.success.json");
    let data = tempfile::tempdir().unwrap();
    Server::start(data.path(), &[]).terminate();
    for arguments in [
        &["mappings"][..],
        &["completions", "zsh"],
        &["map", "fusionauth", body.to_str().unwrap()],
        &["redrive", "--data-dir", data.path().to_str().unwrap()],
        &["--help"],
        &["--version"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = segue().args(arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
        assert!(!error.contains("panicked") && !error.contains("Broken pipe"), "{arguments:?}: {error}");
    }
}

#[test]
fn a_closed_standard_error_does_not_crash_a_command() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = segue().args(["map", "nobody"]).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn ctrl_c_ends_a_command_by_its_signal() {
    for command in [&["track-event"][..], &["map", "fusionauth"]] {
        let mut child = segue().args(command).stdin(Stdio::piped()).spawn().unwrap();
        // It waits for the rest of its input.
        child.stdin.as_mut().unwrap().write_all(b"{").unwrap();
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().signal(), Some(2), "which shells report as 130");
    }
}

/// `docs/commands.md` has every command with an example of its help, and every variable with its option.
#[test]
fn the_documentation_has_every_command_and_every_variable() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/commands.md");
    let documentation = std::fs::read_to_string(path).unwrap();
    for name in commands() {
        let help = run(&[&name, "--help"], b"");
        let help = text(&help.stdout);
        let row = documentation.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/commands.md has no row for {name}"));
        let example = row.rsplit('`').nth(1).unwrap();
        let examples = section(help, "Examples:\n");
        assert!(examples.lines().any(|line| line.trim() == example), "{name}: {example}");
        let mut option = "";
        for line in help.lines().map(str::trim) {
            if line.starts_with("--") {
                option = line.split_whitespace().next().unwrap();
            }
            let Some(variable) = line.strip_prefix("[env: ") else { continue };
            let variable = variable.trim_end_matches([']', '=']);
            let row = format!("| `{variable}` | `{option}` |");
            assert!(documentation.contains(&row), "docs/commands.md has no row for {name}'s {row}");
        }
    }
}
