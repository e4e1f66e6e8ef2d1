//! Measures memory and the store's files over a million messages, and with a backlog.

use std::time::{Duration, Instant};

use crate::{
    adapters::{self, Program, Sink},
    load,
};

const CONNECTIONS: usize = 2;
const MESSAGES: usize = 1_000_000;
const BACKLOG: usize = 200_000;

/// The number of messages for each printed line.
const STEP: usize = 100_000;

/// The most messages that are accepted but not delivered.
const AHEAD: usize = 10_000;

/// Prints the tables.
pub async fn watch() {
    let sink = Sink::start().await;
    let program =
        adapters::segue(&sink.url, &[format!("{}/healthy", sink.receivers[0])], adapters::WITHOUT_PAGE).await;
    println!("\n{MESSAGES} messages to a healthy webhook and Segment\n");
    println!("| messages delivered | s | resident, MiB | segue.db, MiB | its WAL, MiB |");
    println!("|---|---|---|---|---|");
    let start = Instant::now();
    line(&program, 0, start);
    let mut sent = 0;
    let mut delivered = 0;
    while delivered < MESSAGES {
        if sent < MESSAGES && sent < delivered + AHEAD {
            let end = MESSAGES.min(sent + AHEAD / 2);
            load::send(program.address, sent..end, CONNECTIONS).await;
            sent = end;
        } else {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let before = delivered;
        delivered = sink.received(0).await.messages;
        if delivered / STEP > before / STEP {
            line(&program, delivered, start);
        }
    }
    assert_eq!(sink.took(MESSAGES).await, MESSAGES, "Segment's");
    let posts = sink.received(0).await.posts;
    println!("\n{posts} requests, peak {:.1} MiB", program.peak_memory());

    let sink = Sink::start().await;
    let program =
        adapters::segue(&sink.url, &[format!("{}/silent", sink.receivers[0])], adapters::WITHOUT_PAGE).await;
    println!("\n{BACKLOG} messages to a webhook that never answers\n");
    println!("| messages accepted | s | resident, MiB | segue.db, MiB | its WAL, MiB |");
    println!("|---|---|---|---|---|");
    let start = Instant::now();
    for sent in (0..BACKLOG).step_by(BACKLOG / 4) {
        load::send(program.address, sent..sent + BACKLOG / 4, CONNECTIONS).await;
        line(&program, sent + BACKLOG / 4, start);
    }
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_secs(30)).await;
        line(&program, BACKLOG, start);
    }
    println!("\n{} requests, peak {:.1} MiB", sink.received(0).await.posts, program.peak_memory());
}

fn line(program: &Program, messages: usize, start: Instant) {
    println!(
        "| {messages} | {:.0} | {:.1} | {:.1} | {:.1} |",
        start.elapsed().as_secs_f64(),
        program.memory(),
        program.file("segue.db"),
        program.file("segue.db-wal"),
    );
}
