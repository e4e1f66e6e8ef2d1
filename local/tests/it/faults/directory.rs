//! A data directory that goes away, is exchanged, or cannot be written to.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use faults::errno::EROFS;
use reqwest::StatusCode;

use super::{
    load::Load,
    trial::{Trial, says_unhealthy},
};
use crate::process::{ended_at_start, segue};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_once_the_directory_is_removed() {
    nothing_is_taken_after(|data| fs::remove_dir_all(data).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_once_the_directory_is_replaced_by_a_copy() {
    nothing_is_taken_after(|data| {
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

async fn nothing_is_taken_after(change: fn(&Path)) {
    let trial = Trial::refused().await;
    let server = trial.start();
    let load = Load::start(&server, &trial.told, 8, 0.1);
    trial.told.more(StatusCode::OK, 20).await;
    change(&trial.data);
    let changed = Instant::now();
    trial.told.some_more(40, Duration::from_secs(3)).await;
    load.stop().await;
    // Who began to post before may have been stored before.
    let taken = trial.told.taken_since(changed);
    assert!(taken.is_empty(), "{} of them, {}", taken.len(), trial.told.summary());
    says_unhealthy(&server, Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_read_only_is_named_when_the_start_fails() {
    let trial = Trial::refused().await;
    trial.faults.fail_opens(Some(EROFS));
    trial.faults.fail_writes(Some(EROFS));
    let mut command = segue();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&trial.data);
    trial.faults.preload(&mut command);
    let (status, log) = ended_at_start(command);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(trial.data.to_str().unwrap()), "{log}");
}
