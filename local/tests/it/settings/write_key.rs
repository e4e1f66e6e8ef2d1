//! A write key without an endpoint: nothing goes to Segment, and the start screen, the log, doctor and the
//! page say so.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    live::Live,
    process::{Server, login, segue},
    program::{run, text},
};

const KEY: [&str; 2] = ["--write-key", "abcdefghijklmnopqrstuvwxyz012345"];

const UNSENT: &str = "NOTHING goes to Segment: you gave a write key but no SEGMENT_ENDPOINT";

#[tokio::test]
async fn the_start_screen_says_that_nothing_goes_to_segment() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &KEY);
    let said = server.banner.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = format!("{UNSENT} (https://api.segment.io, in Europe https://events.eu1.segmentapis.com)");
    assert!(said.contains(&expected), "{}", server.banner);
    for usual in [&[][..], &["--segment-endpoint", "https://api.segment.io", KEY[0], KEY[1]]] {
        let fresh = tempfile::tempdir().unwrap();
        assert!(!Server::start(fresh.path(), usual).banner.contains("NOTHING"));
    }
}

#[test]
fn a_log_in_json_says_so_too() {
    let data = tempfile::tempdir().unwrap();
    let mut command = segue();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--data-dir"]).arg(data.path());
    let mut child = command.args(KEY).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let warning = lines
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
        .find(|line| line["message"].as_str().unwrap().starts_with(UNSENT));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(warning.unwrap()["level"], "WARN");
}

#[test]
fn the_doctor_reports_it_as_a_problem() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("segue");
    let here = ["doctor", "--listen", "127.0.0.1:0", "--data-dir", directory.to_str().unwrap()];
    let output = run(&[&here, &KEY[..]].concat(), b"");
    let found = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{found}");
    assert!(found.contains(&format!("problem  Segment         {UNSENT}")), "{found}");
    assert!(
        found.contains("→ set SEGMENT_ENDPOINT to https://api.segment.io, or to https://events.eu1"),
        "{found}"
    );
}

#[tokio::test]
async fn track_event_warns_when_the_event_goes_to_the_stand_in() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &KEY);
    let listen = server.base.trim_start_matches("http://").to_owned();
    let output = tokio::task::spawn_blocking(move || {
        run(&["track-event", "--listen", &listen, KEY[0], KEY[1]], br#"{"user_id":"u","event":"e"}"#)
    });
    let output = output.await.unwrap();
    assert!(output.status.success() && text(&output.stderr).contains(UNSENT), "{}", text(&output.stderr));
}

#[tokio::test]
async fn the_page_and_tail_name_the_stand_in_and_never_segment() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &KEY);
    let mut live = Live::connect(&server).await;
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::OK);
    let row = live.rows(|rows| rows.first().is_some_and(|row| row["state"] == "delivered")).await.remove(0);
    assert_eq!(row["destinations"][0]["name"], "stand-in", "{row}");
    let details = server.details(&row).await;
    assert_eq!(details["deliveries"][0]["destination"], "stand-in", "{details}");
    assert!(details["deliveries"][0]["request"]["body"].is_string(), "{details}");
    let numbers = live.numbers(|numbers| numbers["queues"][0].is_object()).await;
    assert_eq!(numbers["queues"][0]["label"], "stand-in", "{numbers}");
    let mut tail = segue().args(["tail", "--url", &server.base]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(tail.stdout.take().unwrap()).read_line(&mut line).unwrap();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert!(line.contains("stand-in delivered") && !line.contains("Segment"), "{line}");
}

#[tokio::test]
async fn a_dead_letter_of_the_stand_in_is_not_called_segments() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let fault = json!({"status": 400, "seconds": 600});
    server.http.put(format!("{}/debugger/api/fault", server.base)).json(&fault).send().await.unwrap();
    assert_eq!(server.webhook(&login("1")).await.status(), StatusCode::OK);
    server.rows(|rows| rows.iter().any(|row| row["state"] == "dead-letter")).await;
    let url = format!("{}/debugger/api/dead-letters", server.base);
    let letters: Value = server.http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(letters["deadLetters"][0]["destination"], "stand-in", "{letters}");
}
