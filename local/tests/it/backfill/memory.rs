//! The memory of a run does not grow with the number of users.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use testkit::{Answer, FakeServer};

use super::{command, ndjson};

/// The peak memory of a run that sends `users` users, in KB.
async fn peak(users: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.json.gz");
    fs::write(&file, testkit::gzip(ndjson(users))).unwrap();
    let (pid, peak) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU64::new(0)));
    let (victim, highest) = (pid.clone(), peak.clone());
    let server = FakeServer::start(move |_| {
        let status = fs::read_to_string(format!("/proc/{}/status", victim.load(Ordering::SeqCst)));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
        highest.store(line.trim().trim_end_matches(" kB").parse().unwrap(), Ordering::SeqCst);
        Answer::ok()
    })
    .await;
    let url = server.url();
    let arguments = [
        "auth0",
        file.to_str().unwrap(),
        "--segment-endpoint",
        &url,
        "--write-key",
        "k",
        "--rate",
        "1000000",
    ];
    let child = command(folder.path(), &arguments).spawn().unwrap();
    pid.store(child.id(), Ordering::SeqCst);
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    assert!(output.status.success() && server.taken().len() == users, "{output:?}");
    peak.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_the_users_take_no_more_memory() {
    let (few, many) = (peak(2_000).await, peak(20_000).await);
    assert!(few > 0 && many < few + 8_000, "{few} KB, {many} KB");
    assert!(many < 100_000, "{many} KB");
}
