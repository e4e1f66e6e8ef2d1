//! A disk that breaks or writes partially.

use std::time::Duration;

use faults::errno::{EDQUOT, EIO, ENOSPC, EROFS};
use reqwest::StatusCode;
use testkit::Answer;

use super::{
    load::Load,
    rounds,
    subject::{Subject, says_unhealthy},
};

#[tokio::test(flavor = "multi_thread")]
async fn failed_writes_lose_nothing() {
    for _ in rounds() {
        let subject = Subject::refused().await;
        let server = subject.start();
        // Long enough for more messages than SQLite's cache holds, so that it writes some before the commit.
        subject.faults.slow_syncs(Duration::from_millis(400));
        let load = Load::start(&server, &subject.answers, 24, 0.4);
        for errno in [EIO, ENOSPC, EDQUOT, EROFS] {
            subject.answers.more(StatusCode::OK, 6).await;
            subject.faults.fail_writes(Some(errno));
            subject.answers.more(StatusCode::SERVICE_UNAVAILABLE, 12).await;
            subject.faults.fail_writes(None);
        }
        subject.faults.end();
        subject.recovers(&server).await;
        load.stop().await;
        subject.loses_nothing(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_writes_are_reported_and_end_without_a_restart() {
    let subject = Subject::refused().await;
    let server = subject.start();
    for errno in [EIO, EROFS] {
        subject.recovers(&server).await;
        subject.faults.fail_writes(Some(errno));
        let load = Load::start(&server, &subject.answers, 4, 0.0);
        subject.answers.more(StatusCode::SERVICE_UNAVAILABLE, 4).await;
        says_unhealthy(&server, Duration::from_secs(2)).await;
        subject.faults.end();
        subject.recovers(&server).await;
        load.stop().await;
    }
    subject.loses_nothing(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_writes_lose_nothing() {
    let subject = Subject::refused().await;
    subject.faults.short_writes(true);
    let server = subject.start();
    let load = Load::start(&server, &subject.answers, 8, 0.2);
    subject.answers.more(StatusCode::OK, 40).await;
    load.stop().await;
    subject.loses_nothing(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_truncate_loses_nothing() {
    let subject = Subject::refused().await;
    let server = subject.start();
    let load = Load::start(&server, &subject.answers, 8, 0.2);
    for errno in [EIO, EROFS] {
        subject.faults.fail_truncates(Some(errno));
        subject.answers.some_more(60, Duration::from_secs(2)).await;
    }
    load.stop().await;
    subject.loses_nothing(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_fault_causes_no_long_delay_and_no_small_batches() {
    let subject = Subject::refused().await;
    let server = subject.start();
    let load = Load::start(&server, &subject.answers, 8, 0.3);
    subject.answers.more(StatusCode::OK, 100).await;
    subject.faults.fail_writes(Some(EIO));
    subject.answers.more(StatusCode::SERVICE_UNAVAILABLE, 20).await;
    load.stop().await;
    // Consumers poll once a second: some polls fail.
    says_unhealthy(&server, Duration::from_secs(2)).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    subject.faults.end();
    let calls = subject.segment.requests().len();
    subject.segment.set(|_| Answer::ok());
    subject.all_arrive(&server, Duration::from_secs(40)).await;
    let (calls, messages) = (subject.segment.requests().len() - calls, subject.answers.taken().len());
    assert!(calls * 10 < messages, "{messages} messages in {calls} calls");
}
