//! Limits that a shell or a service manager sets.

use std::time::Duration;

use reqwest::StatusCode;

use super::{
    load::Load,
    trial::{Trial, limit},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_file_sizes_is_a_full_disk_and_no_death() {
    let trial = Trial::refused().await;
    // Of 512 bytes: 8 MB.
    let mut server = trial.start_with(&[], |command| limit(command, "ulimit -f 16384"));
    let load = Load::start(&server, &trial.told, 16, 0.4);
    trial.told.more(StatusCode::OK, 10).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while trial.told.count(StatusCode::SERVICE_UNAVAILABLE) < 20 && tokio::time::Instant::now() < deadline {
        let ended = server.ended_within(Duration::from_millis(50)).await;
        assert_eq!(ended, None, "it ended: {}", trial.told.summary());
    }
    load.stop().await;
    assert!(trial.told.count(StatusCode::SERVICE_UNAVAILABLE) >= 20, "{}", trial.told.summary());
    trial.keeps_the_law(server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_descriptors_loses_nothing_and_is_well_afterwards() {
    let trial = Trial::refused().await;
    let server = trial.start_with(&[], |command| limit(command, "ulimit -n 40"));
    let load = Load::start(&server, &trial.told, 64, 0.1);
    trial.told.some_more(200, Duration::from_secs(3)).await;
    load.stop().await;
    trial.recovers(&server).await;
    trial.keeps_the_law(server).await;
}
