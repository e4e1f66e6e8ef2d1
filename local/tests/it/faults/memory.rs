//! A lack of memory.

use std::time::Duration;

use reqwest::StatusCode;

use super::{
    load::Load,
    subject::{Subject, limit},
    syncs::IO_ERROR,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_memory_ends_the_program_and_loses_nothing() {
    let subject = Subject::refused().await;
    let mut server = subject.start();
    let load = Load::start(&server, &subject.answers, 4, 0.0);
    subject.answers.more(StatusCode::OK, 40).await;
    subject.faults.fail_memory(true);
    // These need more pages than SQLite has allocated.
    let large = Load::start(&server, &subject.answers, 8, 1.0);
    let ended = server.ended_within(Duration::from_secs(10)).await;
    load.stop().await;
    large.stop().await;
    let status = ended.unwrap_or_else(|| panic!("it runs on, {}", subject.answers.summary()));
    assert_eq!(status.code(), Some(IO_ERROR), "{}", server.log_so_far());
    subject.loses_nothing(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_runs_out_of_memory_loses_nothing() {
    let subject = Subject::refused().await;
    // Enough to start with any number of processors, and too little for the current batches.
    let server = subject.start_with(&["--page", "off"], |command| {
        command.env("TOKIO_WORKER_THREADS", "2");
        limit(command, "ulimit -v 75000");
    });
    let load = Load::start(&server, &subject.answers, 24, 0.6);
    subject.answers.some_more(120, Duration::from_secs(3)).await;
    load.stop().await;
    eprintln!("XX {:?} {} {}", std::time::Instant::now(), subject.answers.summary(), server.log_so_far());
    subject.loses_nothing(server).await;
    eprintln!("XX {:?}", std::time::Instant::now());
}
