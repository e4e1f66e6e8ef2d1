//! A disk that fills up.

use std::time::Duration;

use faults::Faults;
use reqwest::StatusCode;
use testkit::{Answer, FakeServer};

use super::{
    load::{Load, post},
    rounds,
    trial::{Trial, ids_taken, says_unhealthy},
};

const MEGABYTE: u64 = 1 << 20;

/// How long a sync takes. Requests that come meanwhile are committed together: more than SQLite's cache of 2 MB, so that it
/// writes a part of them before the commit.
const MANY_AT_ONCE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_loses_nothing() {
    for _ in rounds() {
        let trial = Trial::refused().await;
        let server = trial.start();
        trial.faults.leave_room(4 * MEGABYTE);
        let load = Load::start(&server, &trial.told, 24, 0.3);
        trial.told.more(StatusCode::SERVICE_UNAVAILABLE, 60).await;
        load.stop().await;
        trial.keeps_the_law(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_has_room_now_and_then_loses_nothing() {
    for _ in rounds() {
        let trial = Trial::refused().await;
        let server = trial.start();
        trial.faults.slow_syncs(MANY_AT_ONCE);
        let load = Load::start(&server, &trial.told, 32, 0.6);
        for _ in 0..2 {
            trial.faults.leave_room(fastrand::u64(MEGABYTE..4 * MEGABYTE));
            trial.told.more(StatusCode::SERVICE_UNAVAILABLE, 32).await;
        }
        load.stop().await;
        trial.keeps_the_law(server).await;
    }
}

/// SQLite writes a part of what is more than its cache of 2 MB before the commit. When that fails everything of the
/// transaction is gone, also what was done in it before; what comes after that must not make it look well.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_the_middle_of_a_commit_loses_nothing() {
    for _ in rounds() {
        let trial = Trial::refused().await;
        let server = trial.start();
        for _ in 0..5 {
            trial.recovers(&server).await;
            // Requests that come while the first is synced are committed together.
            trial.faults.slow_syncs(Duration::from_millis(700));
            trial.faults.leave_room(fastrand::u64(MEGABYTE / 4..3 * MEGABYTE));
            let (http, base, told) = (&server.http, &server.base, &trial.told);
            let bytes = fastrand::usize(150_000..430_000);
            let large = (0..fastrand::usize(6..16)).map(|_| async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                post(http, base, told, bytes).await
            });
            tokio::join!(post(http, base, told, 0), futures_util::future::join_all(large));
            trial.faults.end();
        }
        trial.keeps_the_law(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_told_and_is_over_without_a_restart() {
    let trial = Trial::refused().await;
    let server = trial.start();
    let load = Load::start(&server, &trial.told, 8, 0.2);
    trial.told.more(StatusCode::OK, 20).await;
    trial.faults.disk_is_full();
    trial.told.more(StatusCode::SERVICE_UNAVAILABLE, 10).await;
    says_unhealthy(&server, Duration::from_secs(2)).await;
    trial.faults.end();
    trial.recovers(&server).await;
    trial.told.more(StatusCode::OK, 20).await;
    load.stop().await;
    trial.keeps_the_law(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_deliveries_go_on() {
    let trial = Trial::refused().await;
    let server = trial.start();
    backlog(&trial, &server, 0.1).await;
    trial.segment.set(|_| Answer::ok());
    trial.all_arrive(&server, Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_a_start_succeeds_and_delivers_the_backlog() {
    let trial = Trial::refused().await;
    let server = trial.start();
    backlog(&trial, &server, 0.1).await;
    server.kill();
    trial.faults.disk_is_full();
    trial.segment.set(|_| Answer::ok());
    let server = trial.start();
    trial.all_arrive(&server, Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_empty_again_takes_messages_though_the_disk_has_no_more_room() {
    for large in [0.0, 0.1] {
        let trial = Trial::refused().await;
        let server = trial.start();
        backlog(&trial, &server, large).await;
        trial.segment.set(|_| Answer::ok());
        trial.all_arrive(&server, Duration::from_secs(30)).await;
        trial.recovers(&server).await;
    }
}

/// Fills the disk with messages that wait, until nothing more is taken.
async fn backlog(trial: &Trial, server: &crate::process::Server, large: f64) {
    let load = Load::start(server, &trial.told, 8, large);
    trial.told.more(StatusCode::OK, 100).await;
    trial.faults.leave_room(MEGABYTE);
    trial.told.more(StatusCode::SERVICE_UNAVAILABLE, 50).await;
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_while_segment_takes_everything_loses_nothing() {
    let trial = Trial::new(FakeServer::healthy().await, Faults::new);
    let server = trial.start();
    let load = Load::start(&server, &trial.told, 8, 0.3);
    trial.told.more(StatusCode::OK, 20).await;
    trial.faults.disk_is_full();
    trial.told.some_more(60, Duration::from_secs(2)).await;
    trial.faults.end();
    trial.recovers(&server).await;
    load.stop().await;
    trial.all_arrive(&server, Duration::from_secs(30)).await;
    assert!(trial.told.taken().is_subset(&ids_taken(&trial.segment)));
}
