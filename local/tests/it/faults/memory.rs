//! Memory that is not there.

use std::time::Duration;

use reqwest::StatusCode;

use super::{
    load::Load,
    syncs::IO_ERROR,
    trial::{Trial, limit},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_memory_ends_the_program_and_loses_nothing() {
    let trial = Trial::refused().await;
    let mut server = trial.start();
    let load = Load::start(&server, &trial.told, 4, 0.0);
    trial.told.more(StatusCode::OK, 40).await;
    trial.faults.fail_memory(true);
    // These need more pages than SQLite has so far.
    let large = Load::start(&server, &trial.told, 8, 1.0);
    let ended = server.ended_within(Duration::from_secs(10)).await;
    load.stop().await;
    large.stop().await;
    let status = ended.unwrap_or_else(|| panic!("it runs on, {}", trial.told.summary()));
    assert_eq!(status.code(), Some(IO_ERROR), "{}", server.log_so_far());
    trial.keeps_the_law(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_runs_out_of_memory_loses_nothing() {
    let trial = Trial::refused().await;
    // It starts with that, however many processors there are, and the batches under way are too much for it.
    let server = trial.start_with(&["--page", "off"], |command| {
        command.env("TOKIO_WORKER_THREADS", "2");
        limit(command, "ulimit -v 75000");
    });
    let load = Load::start(&server, &trial.told, 24, 0.6);
    trial.told.some_more(120, Duration::from_secs(3)).await;
    load.stop().await;
    eprintln!("XX {:?} {} {}", std::time::Instant::now(), trial.told.summary(), server.log_so_far());
    trial.keeps_the_law(server).await;
    eprintln!("XX {:?}", std::time::Instant::now());
}
