//! The progress on the screen, and the rate limit.

use std::process::{Command, Stdio};

use super::{ndjson, run, sink::Sink};
use crate::terminal::in_terminal;

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_a_bar_with_rate_and_time_left_and_a_pipe_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.json");
    std::fs::write(&file, ndjson(300)).unwrap();
    let sink = Sink::healthy().await;
    let url = sink.server.url();
    let arguments = [
        "backfill",
        "auth0",
        file.to_str().unwrap(),
        "--segment-endpoint",
        &url,
        "--write-key",
        "k",
        "--rate",
        "200",
    ];
    let run_to_end = |mut command: Command, data: &str| {
        command.args(arguments).arg("--data-dir").arg(folder.path().join(data)).stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let terminal = run_to_end(in_terminal(&[]), "a").await.unwrap();
    let screen = String::from_utf8(terminal.stdout).unwrap();
    assert!(screen.contains('█') && screen.contains("/s, ") && screen.contains(" s left"), "{screen}");
    assert!(screen.contains("300 read, 300 sent"), "{screen}");
    let pipe = run_to_end(crate::process::segue(), "b").await.unwrap();
    let text = String::from_utf8(pipe.stderr).unwrap();
    assert!(!text.contains(['█', '\u{1b}', '\r']) && text.contains("300 read, 300 sent"), "{text}");
    assert!(text.contains(&format!("users.json: sending to Segment at {url}.")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.json");
    std::fs::write(&file, ndjson(250)).unwrap();
    let sink = Sink::healthy().await;
    let url = sink.server.url();
    let arguments =
        ["auth0", file.to_str().unwrap(), "--segment-endpoint", &url, "--write-key", "k", "--rate", "100"];
    let ended = run(folder.path(), &arguments).await;
    // Five batches, half a second apart.
    assert!(ended.summary()["thisRun"]["seconds"].as_f64().unwrap() >= 2.0, "{ended:?}");
    let sizes: Vec<usize> = sink.server.requests().iter().map(|request| request.messages().len()).collect();
    assert_eq!(sizes, [50; 5]);
}
