//! A disk that breaks, or takes a write in parts.

use std::time::Duration;

use faults::errno::{EDQUOT, EIO, ENOSPC, EROFS};
use reqwest::StatusCode;
use testkit::Answer;

use super::{
    load::Load,
    rounds,
    trial::{Trial, says_unhealthy},
};

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_fail_lose_nothing() {
    for _ in rounds() {
        let trial = Trial::refused().await;
        let server = trial.start();
        // Long enough that more comes in meanwhile than SQLite's cache holds, of which it writes a part before the commit.
        trial.faults.slow_syncs(Duration::from_millis(400));
        let load = Load::start(&server, &trial.told, 24, 0.4);
        for errno in [EIO, ENOSPC, EDQUOT, EROFS] {
            trial.told.more(StatusCode::OK, 6).await;
            trial.faults.fail_writes(Some(errno));
            trial.told.more(StatusCode::SERVICE_UNAVAILABLE, 12).await;
            trial.faults.fail_writes(None);
        }
        trial.faults.end();
        trial.recovers(&server).await;
        load.stop().await;
        trial.keeps_the_law(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_fail_are_told_and_are_over_without_a_restart() {
    let trial = Trial::refused().await;
    let server = trial.start();
    for errno in [EIO, EROFS] {
        trial.recovers(&server).await;
        trial.faults.fail_writes(Some(errno));
        let load = Load::start(&server, &trial.told, 4, 0.0);
        trial.told.more(StatusCode::SERVICE_UNAVAILABLE, 4).await;
        says_unhealthy(&server, Duration::from_secs(2)).await;
        trial.faults.end();
        trial.recovers(&server).await;
        load.stop().await;
    }
    trial.keeps_the_law(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_are_done_in_parts_lose_nothing() {
    let trial = Trial::refused().await;
    trial.faults.short_writes(true);
    let server = trial.start();
    let load = Load::start(&server, &trial.told, 8, 0.2);
    trial.told.more(StatusCode::OK, 40).await;
    load.stop().await;
    trial.keeps_the_law(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_made_shorter_loses_nothing() {
    let trial = Trial::refused().await;
    let server = trial.start();
    let load = Load::start(&server, &trial.told, 8, 0.2);
    for errno in [EIO, EROFS] {
        trial.faults.fail_truncates(Some(errno));
        trial.told.some_more(60, Duration::from_secs(2)).await;
    }
    load.stop().await;
    trial.keeps_the_law(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_seconds_delays_no_message_for_minutes_and_makes_no_small_batches() {
    let trial = Trial::refused().await;
    let server = trial.start();
    let load = Load::start(&server, &trial.told, 8, 0.3);
    trial.told.more(StatusCode::OK, 100).await;
    trial.faults.fail_writes(Some(EIO));
    trial.told.more(StatusCode::SERVICE_UNAVAILABLE, 20).await;
    load.stop().await;
    // Consumers look once a second: some of their looks fail.
    says_unhealthy(&server, Duration::from_secs(2)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    trial.faults.end();
    let calls = trial.segment.requests().len();
    trial.segment.set(|_| Answer::ok());
    trial.all_arrive(&server, Duration::from_secs(40)).await;
    let (calls, messages) = (trial.segment.requests().len() - calls, trial.told.taken().len());
    assert!(calls * 10 < messages, "{messages} messages in {calls} calls");
}
