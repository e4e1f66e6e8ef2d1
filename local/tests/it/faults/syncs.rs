//! Syncs that fail or are slow.

use std::time::Duration;

use faults::errno::EIO;
use reqwest::StatusCode;

use super::{load::Load, rounds, trial::Trial};

/// sysexits.h's EX_IOERR: nobody knows what is on disk, so the program starts anew and reads it.
pub const IO_ERROR: i32 = 74;

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_ends_the_program_and_loses_nothing() {
    for _ in rounds() {
        let trial = Trial::refused().await;
        let mut server = trial.start();
        let load = Load::start(&server, &trial.told, 8, 0.2);
        trial.told.more(StatusCode::OK, 20).await;
        trial.faults.fail_syncs(Some(EIO));
        let ended = server.ended_within(Duration::from_secs(10)).await;
        load.stop().await;
        let status = ended.unwrap_or_else(|| panic!("it runs on, {}", trial.told.summary()));
        assert_eq!(status.code(), Some(IO_ERROR), "{}", server.log_so_far());
        trial.keeps_the_law(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_200_when_every_sync_fails() {
    let trial = Trial::refused().await;
    let server = trial.start();
    trial.faults.fail_syncs(Some(EIO));
    let load = Load::start(&server, &trial.told, 8, 0.2);
    trial.told.some_more(40, Duration::from_secs(5)).await;
    load.stop().await;
    assert_eq!(trial.told.count(StatusCode::OK), 0, "{}", trial.told.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_syncs_and_a_kill_lose_nothing() {
    let trial = Trial::refused().await;
    let server = trial.start();
    trial.faults.slow_syncs(Duration::from_millis(300));
    let load = Load::start(&server, &trial.told, 32, 0.1);
    trial.told.more(StatusCode::OK, 80).await;
    // While the clients post: some have an answer on its way, some a sync.
    trial.keeps_the_law(server).await;
    load.stop().await;
}
