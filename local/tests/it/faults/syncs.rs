//! Failed and slow syncs.

use std::time::Duration;

use faults::errno::EIO;
use reqwest::StatusCode;

use super::{load::Load, rounds, subject::Subject};

/// EX_IOERR of sysexits.h: the content of the disk is unknown, so a restart must read it.
pub const IO_ERROR: i32 = 74;

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_fails_ends_the_program_and_loses_nothing() {
    for _ in rounds() {
        let subject = Subject::refused().await;
        let mut server = subject.start();
        let load = Load::start(&server, &subject.answers, 8, 0.2);
        subject.answers.more(StatusCode::OK, 20).await;
        subject.faults.fail_syncs(Some(EIO));
        let ended = server.ended_within(Duration::from_secs(10)).await;
        load.stop().await;
        let status = ended.unwrap_or_else(|| panic!("it runs on, {}", subject.answers.summary()));
        assert_eq!(status.code(), Some(IO_ERROR), "{}", server.log_so_far());
        subject.loses_nothing(server).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_gets_200_when_every_sync_fails() {
    let subject = Subject::refused().await;
    let server = subject.start();
    subject.faults.fail_syncs(Some(EIO));
    let load = Load::start(&server, &subject.answers, 8, 0.2);
    subject.answers.some_more(40, Duration::from_secs(5)).await;
    load.stop().await;
    assert_eq!(subject.answers.count(StatusCode::OK), 0, "{}", subject.answers.summary());
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_syncs_and_a_kill_lose_nothing() {
    let subject = Subject::refused().await;
    let server = subject.start();
    subject.faults.slow_syncs(Duration::from_millis(300));
    let load = Load::start(&server, &subject.answers, 32, 0.1);
    subject.answers.more(StatusCode::OK, 80).await;
    // Under load: some clients wait for an answer, some for a sync.
    subject.loses_nothing(server).await;
    load.stop().await;
}
