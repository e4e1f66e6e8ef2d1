//! Limits that a shell or a service manager sets.

use std::time::Duration;

use reqwest::StatusCode;

use super::{
    load::Load,
    subject::{Subject, limit},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_size_limit_acts_as_a_full_disk() {
    let subject = Subject::refused().await;
    // Of 512 bytes: 8 MB.
    let mut server = subject.start_with(&[], |command| limit(command, "ulimit -f 16384"));
    let load = Load::start(&server, &subject.answers, 16, 0.4);
    subject.answers.more(StatusCode::OK, 10).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while subject.answers.count(StatusCode::SERVICE_UNAVAILABLE) < 20
        && tokio::time::Instant::now() < deadline
    {
        let ended = server.ended_within(Duration::from_millis(50)).await;
        assert_eq!(ended, None, "it ended: {}", subject.answers.summary());
    }
    load.stop().await;
    assert!(subject.answers.count(StatusCode::SERVICE_UNAVAILABLE) >= 20, "{}", subject.answers.summary());
    subject.loses_nothing(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_descriptors_loses_nothing_and_recovers() {
    let subject = Subject::refused().await;
    let server = subject.start_with(&[], |command| limit(command, "ulimit -n 40"));
    let load = Load::start(&server, &subject.answers, 64, 0.1);
    subject.answers.some_more(200, Duration::from_secs(3)).await;
    load.stop().await;
    subject.recovers(&server).await;
    subject.loses_nothing(server).await;
}
