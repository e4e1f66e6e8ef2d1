//! Foreign texts on the screen, from senders, servers and files, and passwords in URLs.

use std::process::Output;

use serde_json::{Value, json};
use testkit::{Answer, FakeServer};

use crate::process::{Server, segue};

/// A text that clears the screen, hides text, moves the cursor and reverses the reading order.
const HOSTILE: &str = "\u{1b}[2J\u{9b}8m\r\u{7}\u{202e}\u{2066}\u{200f}\u{2028}";

fn has_controls(text: &str) -> bool {
    let marks = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'];
    let order =
        |one: char| ('\u{202a}'..='\u{202e}').contains(&one) || ('\u{2066}'..='\u{2069}').contains(&one);
    text.chars().any(|one| one.is_control() && one != '\n' || marks.contains(&one) || order(one))
}

/// Both outputs.
fn texts(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    text(&output.stdout) + &text(&output.stderr)
}

async fn run(arguments: &[&str]) -> String {
    let mut command = segue();
    command.args(arguments);
    texts(&tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap())
}

/// Starts a server with this live list.
async fn live(events: String) -> FakeServer {
    FakeServer::start(move |_| Answer::Status(200, Vec::new(), events.clone())).await
}

fn rows(row: &Value) -> String {
    format!("event: synced\ndata: {{}}\n\nevent: rows\ndata: [{row}]\n\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_escapes_control_characters_of_a_server() {
    let destination = json!({"name": HOSTILE, "state": HOSTILE, "reason": HOSTILE});
    let due =
        json!({"name": "b", "state": "retrying", "attempts": 1, "due": format!("2026-11-21T{HOSTILE}")});
    let row = json!({
        "id": 1, "at": HOSTILE, "source": HOSTILE, "kind": HOSTILE, "user": HOSTILE, "event": HOSTILE, "state": HOSTILE,
        "destinations": [destination, due],
    });
    let server = live(rows(&row)).await;
    let lines = run(&["tail", "--url", &server.url()]).await;
    assert!(!has_controls(&lines) && lines.contains(r"\u{1b}[2J\u{9b}8m\u{d}"), "{lines:?}");
    let lines = run(&["tail", "--json", "--url", &server.url()]).await;
    assert!(!has_controls(&lines), "{lines:?}");
    assert_eq!(serde_json::from_str::<Value>(lines.lines().next().unwrap()).unwrap(), row);
    let refusal = json!({"message": HOSTILE}).to_string();
    let refusing = FakeServer::start(move |_| Answer::Status(403, Vec::new(), refusal.clone())).await;
    let error = run(&["tail", "--url", &refusing.url()]).await;
    assert!(!has_controls(&error) && error.contains(r"answered 403 Forbidden: \u{1b}[2J"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_stops_at_an_endless_event() {
    let server = live("x".repeat(17 * 1024 * 1024)).await;
    let began = std::time::Instant::now();
    let error = run(&["tail", "--url", &server.url()]).await;
    assert!(error.contains("sent an event of more than 16 MB"), "{}", &error[..200.min(error.len())]);
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn map_escapes_control_characters_of_a_body() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body.json");
    let mut user = json!({"id": "u", "email": format!("{HOSTILE}@example.com"), "data": {}});
    user["data"][format!("{HOSTILE}password")] = "hunter2".into();
    let body = json!({"event": {"id": "1", "type": "user.create.complete", "user": user}});
    std::fs::write(&file, body.to_string()).unwrap();
    let text = run(&["map", "fusionauth", file.to_str().unwrap()]).await;
    assert!(!has_controls(&text) && text.contains("kept back") && text.contains(r"\u{1b}[2J"), "{text:?}");
    let log = run(&["--log-format", "json", "map", "fusionauth", file.to_str().unwrap()]).await;
    assert!(!has_controls(&log), "{log:?}");
    let error = run(&["map", &format!("no{HOSTILE}"), file.to_str().unwrap()]).await;
    assert!(error.contains("there is no provider") && !has_controls(&error), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_argument_is_shown_escaped() {
    for arguments in
        [vec!["tail", "--lines"], vec!["redrive", "--since"], vec!["track-event", "--never"], vec![]]
    {
        let mut arguments: Vec<&str> = arguments;
        arguments.push(HOSTILE);
        let error = run(&arguments).await;
        assert!(error.contains("error: ") && !has_controls(&error), "{arguments:?}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_escapes_control_characters_of_senders() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &["--log-level", "debug"]);
    let message = json!({"userId": "u", "event": "e", "messageId": HOSTILE, "writeKey": "local"});
    server.post("/v1/track", message.to_string()).await;
    let event = json!({"event": {"id": "1", "type": HOSTILE, "user": {"id": HOSTILE}}});
    server.webhook(&event).await;
    let log = server.log();
    assert!(!has_controls(&log), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_shows_a_password_of_a_url() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().to_str().unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let given = format!("http://me:hunter2@{gone}/");
    for url in [given.as_str(), "https://me:hunt/hunter2@a.example", "me:hunter2@a.example", "://hunter2@"] {
        for arguments in [
            vec!["serve", "--data-dir", directory, "--write-key", "k", "--segment-endpoint", url],
            vec!["doctor", "--data-dir", directory, "--write-key", "k", "--segment-endpoint", url],
            vec!["serve", "--data-dir", directory, "--public-api-endpoint", url],
            vec!["serve", "--data-dir", directory, "--webhook", url, "--webhook-header", url],
            vec!["serve", "--data-dir", directory, "--listen", url],
            vec!["tail", "--url", url],
            vec!["backfill", "fusionauth", "--url", url, "--api-key", "k", "--dry-run"],
            vec!["backfill", "auth0", "--domain", url, "--token", "t", "--dry-run"],
            vec!["redrive", "--since", url],
            vec!["tail", url],
        ] {
            let error = run(&arguments).await;
            assert!(!error.is_empty() && !error.contains("hunter2"), "{arguments:?}: {error}");
        }
    }
    // A file name is shown, but not the password of a URL in its place.
    for arguments in [["map", "fusionauth", &given], ["track-event", "--timeout=1", &given]] {
        let error = run(&arguments).await;
        assert!(!error.is_empty() && !error.contains("hunter2"), "{arguments:?}: {error}");
    }
}

#[test]
fn help_shows_no_url_of_the_environment() {
    let variables = [
        "SEGMENT_ENDPOINT",
        "SEGMENT_PUBLIC_API_ENDPOINT",
        "SEGUE_WEBHOOK",
        "FUSIONAUTH_URL",
        "SEGUE_URL",
        "AUTH0_DOMAIN",
    ];
    for command in
        [&["serve"][..], &["tail"], &["doctor"], &["backfill", "fusionauth"], &["backfill", "auth0"]]
    {
        let mut segue = segue();
        segue.args(command).arg("--help");
        segue.envs(variables.map(|name| (name, "https://me:hunter2@a.example/hunter2")));
        let help = texts(&segue.output().unwrap());
        assert!(help.contains("Usage") && !help.contains("hunter2"), "{command:?}: {help}");
    }
}
