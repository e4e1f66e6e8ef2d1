//! A data directory that is removed, replaced, or read-only.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use faults::errno::EROFS;
use reqwest::StatusCode;

use super::{
    load::Load,
    subject::{Subject, says_unhealthy},
};
use crate::process::{ended_at_start, segue};

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_accepted_once_the_directory_is_removed() {
    nothing_is_accepted_after(|data| fs::remove_dir_all(data).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_is_accepted_once_the_directory_is_replaced_by_a_copy() {
    nothing_is_accepted_after(|data| {
        let (copy, away) = (data.with_extension("copy"), data.with_extension("away"));
        fs::create_dir(&copy).unwrap();
        for file in fs::read_dir(data).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), copy.join(file.file_name())).unwrap();
        }
        fs::rename(data, away).unwrap();
        fs::rename(copy, data).unwrap();
    })
    .await;
}

async fn nothing_is_accepted_after(change: fn(&Path)) {
    let subject = Subject::refused().await;
    let server = subject.start();
    let load = Load::start(&server, &subject.answers, 8, 0.1);
    subject.answers.more(StatusCode::OK, 20).await;
    change(&subject.data);
    let changed = Instant::now();
    subject.answers.some_more(40, Duration::from_secs(3)).await;
    load.stop().await;
    // Requests that started earlier may have been stored.
    let taken = subject.answers.accepted_since(changed);
    assert!(taken.is_empty(), "{} of them, {}", taken.len(), subject.answers.summary());
    says_unhealthy(&server, Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_read_only_is_named_when_the_start_fails() {
    let subject = Subject::refused().await;
    subject.faults.fail_opens(Some(EROFS));
    subject.faults.fail_writes(Some(EROFS));
    let mut command = segue();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&subject.data);
    subject.faults.preload(&mut command);
    let (status, log) = ended_at_start(command);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(subject.data.to_str().unwrap()), "{log}");
}
