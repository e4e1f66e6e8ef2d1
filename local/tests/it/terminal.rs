//! The output in a terminal and in a pipe.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::process::{Server, segue};

/// Runs a command line in a pseudo-terminal.
const TERMINAL: &str = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";

/// The program in a terminal, with these variables.
pub fn in_terminal(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", TERMINAL, env!("CARGO_BIN_EXE_segue")]).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("TERM", "xterm-256color");
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

/// The start screen, up to its last line.
pub fn start_screen(mut command: Command, data: &Path, further: &[&str]) -> String {
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(further);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut screen = String::new();
    while !screen.contains("Ctrl-C stops it") {
        assert!(lines.read_line(&mut screen).unwrap() > 0, "it ended: {screen}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    screen.replace("\r\n", "\n")
}

/// The text without its colors.
fn plain(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

#[test]
fn the_start_screen_is_colored_in_a_terminal_and_plain_everywhere_else() {
    let data = tempfile::tempdir().unwrap();
    let colored = start_screen(in_terminal(&[]), data.path(), &[]);
    assert!(colored.contains("\u{1b}["), "{colored:?}");
    assert!(plain(&colored).contains("\n  Page                http://127.0.0.1:"), "{colored:?}");
    for (kind, command) in [
        ("NO_COLOR", in_terminal(&[("NO_COLOR", "1")])),
        ("a dumb terminal", in_terminal(&[("TERM", "dumb")])),
        ("a pipe", segue()),
    ] {
        // The previous server may not have closed its store yet.
        let data = tempfile::tempdir().unwrap();
        let screen = start_screen(command, data.path(), &[]);
        assert!(!screen.contains('\u{1b}') && screen.contains("Segue "), "{kind}: {screen:?}");
    }
}

/// clap and the log follow the same rules.
#[test]
fn help_is_colored_in_a_terminal_only() {
    let none: &[(&str, &str)] = &[];
    for (variables, expected) in [(none, true), (&[("NO_COLOR", "1")], false), (&[("TERM", "dumb")], false)] {
        let output = in_terminal(variables).args(["redrive", "--help"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains('\u{1b}'), expected, "{variables:?}: {text}");
    }
}

/// With any settings. It has one line less than the page, because the cursor needs one.
#[test]
fn the_start_screen_fits_a_page_of_80_by_24() {
    let data = tempfile::tempdir().unwrap();
    let long = "https://a-rather-long-name.of-a-receiver-that-somebody-has.example.com/hooks/segment?tenant=";
    let webhooks: Vec<String> = (0..5).map(|number| format!("{long}{number}")).collect();
    let mut everything: Vec<&str> = webhooks.iter().flat_map(|url| ["--webhook", url]).collect();
    everything.extend([
        "--shared-secret",
        "sample",
        "--segment-endpoint",
        "https://events.eu1.segmentapis.com",
    ]);
    everything.extend(["--write-key", "sample", "--public-api-token", "sample"]);
    everything.extend(["--public-api-endpoint", "https://eu1.api.segmentapis.com"]);
    everything.extend(["--regulation-type", "SUPPRESS_WITH_DELETE_INTERNAL"]);
    let providers = r#"{"fusionauth":{"bearer":"sample"},"auth0":{"bearer":"sample"},"okta":{"bearer":"sample"},
        "clerk":{"signingSecrets":"whsec_c2FtcGxl"}}"#;
    everything.extend(["--identity-secret", providers]);
    let unsigned = [&everything[..], &["--allow-unsigned"]].concat();
    // Without an endpoint, a warning takes the place of two webhooks.
    let endpoint = everything.iter().position(|option| *option == "--segment-endpoint").unwrap();
    let unsent = [&everything[4..endpoint], &everything[endpoint + 2..]].concat();
    for options in [&[][..], &everything, &unsigned, &unsent] {
        let screen = plain(&start_screen(in_terminal(&[]), data.path(), options));
        assert!(screen.lines().count() <= 23, "{}:\n{screen}", screen.lines().count());
        let wide = screen.lines().find(|line| line.chars().count() > 80);
        assert_eq!(wide, None, "{screen}");
    }
    let screen = plain(&start_screen(in_terminal(&[]), data.path(), &everything));
    for expected in [
        "https://events.eu1.segmentapis.com (EU)",
        "auth0, clerk, fusionauth, okta: signature or token",
        "required; others: refused",
        "receiver-that-somebody-has.example.com/",
        "SUPPRESS_WITH_DELETE_INTERNAL at",
        "  curl 127.0.0.1:",
    ] {
        assert!(screen.contains(expected), "{expected}: {screen}");
    }
}

#[tokio::test]
async fn with_json_every_line_is_an_object_and_nothing_else_is_printed() {
    let data = tempfile::tempdir().unwrap();
    let mut child = segue()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
            "--log-level",
            "debug",
            "--data-dir",
        ])
        .arg(data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("Segue is up.") {
        assert!(log.read_line(&mut text).unwrap() > 0, "it ended: {text}");
    }
    let up: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let base = up["address"].as_str().unwrap();
    let request = platform::http::client().unwrap().post(format!("{base}/identity/fusionauth"));
    let answer = request.header("content-type", "application/json").body("nonsense").send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success(), "an orderly stop is a success");
    log.read_to_string(&mut text).unwrap();
    let mut printed = String::new();
    child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 2, "{text}");
    for line in &lines {
        for member in ["timestamp", "level", "message", "target"] {
            assert!(line[member].is_string(), "{member}: {line}");
        }
        line["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    assert!(lines.iter().any(|line| line["Rejected"] == 1), "{text}");
}

#[test]
fn an_error_of_a_command_is_json_too() {
    let arguments = ["map", "nobody"];
    let by_flag = segue().args(arguments).args(["--log-format", "json"]).output().unwrap();
    let by_variable = segue().args(arguments).env("LOG_FORMAT", "json").output().unwrap();
    for output in [by_flag, by_variable] {
        assert_eq!(output.status.code(), Some(1));
        let line: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(line["level"], "ERROR");
        assert!(line["message"].as_str().unwrap().contains("there is no provider"), "{line}");
    }
}

#[tokio::test]
async fn a_server_whose_output_nobody_reads_still_serves() {
    let data = tempfile::tempdir().unwrap();
    // The helper stops reading after the start screen.
    let server = Server::start(data.path(), &["--log-level", "debug"]);
    assert_eq!(server.post("/identity/fusionauth", "nonsense").await.status(), 400);
    assert!(server.terminate().success());
}
