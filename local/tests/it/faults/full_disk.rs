//! A disk that fills up.

use std::time::Duration;

use faults::Faults;
use platform::sqlite::FILE;
use reqwest::StatusCode;
use rusqlite::Connection;
use serde_json::Value;
use testkit::{Answer, FakeServer};

use super::{
    load::{Load, post},
    rounds,
    subject::{Subject, received_ids, says_unhealthy},
};
use crate::process::{Server, login};

const MEGABYTE: u64 = 1 << 20;

/// The time of a sync. Requests during a sync are committed together. They exceed SQLite's cache of 2 MB, so
/// it writes some before the commit.
const MANY_AT_ONCE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_loses_nothing() {
    for _ in rounds() {
        let subject = Subject::refused().await;
        let server = subject.start();
        subject.faults.leave_room(4 * MEGABYTE);
        let load = Load::start(&server, &subject.answers, 24, 0.3);
        subject.answers.more(StatusCode::SERVICE_UNAVAILABLE, 60).await;
        load.stop().await;
        subject.loses_nothing(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_with_space_now_and_then_loses_nothing() {
    for _ in rounds() {
        let subject = Subject::refused().await;
        let server = subject.start();
        subject.faults.slow_syncs(MANY_AT_ONCE);
        let load = Load::start(&server, &subject.answers, 32, 0.6);
        for _ in 0..2 {
            subject.faults.leave_room(fastrand::u64(MEGABYTE..4 * MEGABYTE));
            subject.answers.more(StatusCode::SERVICE_UNAVAILABLE, 32).await;
        }
        load.stop().await;
        subject.loses_nothing(server).await;
    }
}

/// SQLite writes pages beyond its cache of 2 MB before the commit. If that fails, the whole transaction is
/// lost, and later statements must not hide that.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_in_the_middle_of_a_commit_loses_nothing() {
    for _ in rounds() {
        let subject = Subject::refused().await;
        let server = subject.start();
        for _ in 0..5 {
            subject.recovers(&server).await;
            // Requests during the first sync are committed together.
            subject.faults.slow_syncs(Duration::from_millis(700));
            subject.faults.leave_room(fastrand::u64(MEGABYTE / 4..3 * MEGABYTE));
            let (http, base, answers) = (&server.http, &server.base, &subject.answers);
            let bytes = fastrand::usize(150_000..430_000);
            let large = (0..fastrand::usize(6..16)).map(|_| async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                post(http, base, answers, bytes).await
            });
            tokio::join!(post(http, base, answers, 0), futures_util::future::join_all(large));
            subject.faults.end();
        }
        subject.loses_nothing(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_reported_and_ends_without_a_restart() {
    let subject = Subject::refused().await;
    let server = subject.start();
    let load = Load::start(&server, &subject.answers, 8, 0.2);
    subject.answers.more(StatusCode::OK, 20).await;
    subject.faults.disk_is_full();
    subject.answers.more(StatusCode::SERVICE_UNAVAILABLE, 10).await;
    says_unhealthy(&server, Duration::from_secs(2)).await;
    subject.faults.end();
    subject.recovers(&server).await;
    subject.answers.more(StatusCode::OK, 20).await;
    load.stop().await;
    subject.loses_nothing(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_deliveries_go_on() {
    let subject = Subject::refused().await;
    let server = subject.start();
    backlog(&subject, &server, 0.1).await;
    subject.segment.set(|_| Answer::ok());
    subject.all_arrive(&server, Duration::from_secs(30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_a_start_succeeds_and_delivers_the_backlog() {
    let subject = Subject::refused().await;
    let server = subject.start();
    backlog(&subject, &server, 0.1).await;
    server.kill();
    subject.faults.disk_is_full();
    subject.segment.set(|_| Answer::ok());
    let server = subject.start();
    subject.all_arrive(&server, Duration::from_secs(30)).await;
}

/// Its stand-in has a column less.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_a_store_of_0_1_0_opens_and_recovers() {
    let subject = Subject::refused().await;
    let options = ["--write-key", "key"];
    let server = Server::start(&subject.data, &options);
    server.webhook(&login("before")).await;
    server.messages(1).await;
    server.terminate();
    let store = Connection::open(subject.data.join(FILE)).unwrap();
    store.execute_batch("ALTER TABLE stand_in_message DROP COLUMN source").unwrap();
    drop(store);
    subject.faults.disk_is_full();
    let server = Server::start_with(&subject.data, &options, |command| subject.faults.preload(command));
    server.rows(|rows| rows.len() == 1).await;
    subject.faults.end();
    subject.recovers(&server).await;
    server.webhook(&login("after")).await;
    let is_login = |row: &&Value| row["source"] == "fusionauth";
    server.rows(|rows| rows.iter().filter(is_login).count() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_store_accepts_messages_on_a_full_disk() {
    for large in [0.0, 0.1] {
        let subject = Subject::refused().await;
        let server = subject.start();
        backlog(&subject, &server, large).await;
        subject.segment.set(|_| Answer::ok());
        subject.all_arrive(&server, Duration::from_secs(30)).await;
        subject.recovers(&server).await;
    }
}

/// Fills the disk with waiting messages until no more are accepted. `large` is the share of large batches.
async fn backlog(subject: &Subject, server: &Server, large: f64) {
    let load = Load::start(server, &subject.answers, 8, large);
    subject.answers.more(StatusCode::OK, 100).await;
    subject.faults.leave_room(MEGABYTE);
    subject.answers.more(StatusCode::SERVICE_UNAVAILABLE, 50).await;
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_while_segment_accepts_everything() {
    let subject = Subject::new(FakeServer::healthy().await, Faults::new);
    let server = subject.start();
    let load = Load::start(&server, &subject.answers, 8, 0.3);
    subject.answers.more(StatusCode::OK, 20).await;
    subject.faults.disk_is_full();
    subject.answers.some_more(60, Duration::from_secs(2)).await;
    subject.faults.end();
    subject.recovers(&server).await;
    load.stop().await;
    subject.all_arrive(&server, Duration::from_secs(30)).await;
    assert!(subject.answers.taken().is_subset(&received_ids(&subject.segment)));
}
