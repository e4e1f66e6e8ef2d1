//! An export that Segue requests from Auth0.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use serde_json::json;
use testkit::{Answer, FakeServer};

use super::{
    Ended, command, ndjson, run,
    sink::{Sink, kill},
};

pub const TOKEN: &str = "never-send-management-token";

/// The jobs of a fake Auth0.
#[derive(Default)]
struct Jobs {
    made: u32,
    looked_at: u32,
    fetched: u32,
    /// How many jobs are deleted.
    gone: u32,
    fails: bool,
    /// How many bytes of the file each download sends before the connection breaks. After these, downloads
    /// are complete.
    cut_at: Vec<usize>,
    file: Vec<u8>,
}

pub struct Auth0 {
    pub server: FakeServer,
    jobs: Arc<Mutex<Jobs>>,
}

impl Auth0 {
    /// Starts one whose exports are this file.
    pub async fn with(file: Vec<u8>) -> Self {
        Self::start(Jobs { file, ..Jobs::default() }).await
    }

    async fn start(jobs: Jobs) -> Self {
        let jobs = Arc::new(Mutex::new(jobs));
        let (inner, server) = (jobs.clone(), FakeServer::healthy().await);
        let base = server.url();
        server.set(move |request| {
            let mut jobs = inner.lock().unwrap();
            let ok = |body: serde_json::Value| Answer::Status(200, Vec::new(), body.to_string());
            if request.line.starts_with("GET /files/") {
                assert!(
                    request.header("authorization").is_none(),
                    "the file's address has its own signature"
                );
                jobs.fetched += 1;
                // Each poll of the job gives a new address, and older addresses no longer work.
                if request.line != format!("GET /files/{}", jobs.looked_at) {
                    return Answer::status(403);
                }
                let cut_at = if jobs.cut_at.is_empty() { usize::MAX } else { jobs.cut_at.remove(0) };
                return Answer::Bytes(jobs.file.clone(), cut_at);
            }
            if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
                return Answer::status(401);
            }
            if request.line == "POST /api/v2/jobs/users-exports" {
                let body = request.json();
                assert!(body["format"] == "json" && body["fields"][0]["name"] == "user_id", "{body}");
                assert!(body["fields"].as_array().unwrap().len() <= 30);
                jobs.made += 1;
                return ok(json!({"id": format!("job_{}", jobs.made), "status": "pending"}));
            }
            jobs.looked_at += 1;
            let number: u32 = request.line.strip_prefix("GET /api/v2/jobs/job_").unwrap().parse().unwrap();
            match jobs.looked_at {
                _ if number <= jobs.gone => Answer::status(404),
                _ if jobs.fails => ok(json!({"status": "failed"})),
                1 => Answer::rate_limited("0"),
                2 => ok(json!({"status": "processing"})),
                look => ok(json!({"status": "completed", "location": format!("{base}/files/{look}")})),
            }
        });
        Self { server, jobs }
    }

    async fn backfill(&self, data: &Path, sink: &Sink, more: &[&str]) -> Ended {
        let (url, options) = (self.server.url(), sink.options());
        let mut arguments = vec!["auth0", "--domain", &url, "--token", TOKEN];
        arguments.extend(options.iter().map(String::as_str));
        arguments.extend(more);
        run(data, &arguments).await
    }
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("auth0|{number:07}")).collect()
}

fn files(data: &Path) -> Vec<String> {
    let names =
        std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut endings: Vec<String> = names.map(|name| name.split_once('.').unwrap().1.to_owned()).collect();
    endings.sort();
    endings
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_requested_downloaded_again_when_the_connection_breaks_and_sent() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = Jobs { file: testkit::gzip(ndjson(700)), cut_at: vec![0, 5_000], ..Jobs::default() };
    let (auth0, sink) = (Auth0::start(jobs).await, Sink::failing(1, 5).await);
    let first = auth0.backfill(folder.path(), &sink, &["--limit", "100"]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    sink.assert_each_once(ids(0..100));
    assert_eq!(files(folder.path()), ["export", "json", "lock"]);
    let second = auth0.backfill(folder.path(), &sink, &[]).await;
    assert_eq!((second.code, &second.summary()["sent"]), (Some(0), &700.into()), "{second:?}");
    sink.assert_each_once(ids(0..700));
    let jobs = auth0.jobs.lock().unwrap();
    assert_eq!((jobs.made, jobs.fetched), (1, 3), "one export served both runs");
    assert_eq!(files(folder.path()), ["json", "lock"], "the export holds all users, and is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_job_is_created_again_and_a_failed_one_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = Jobs { file: ndjson(20).into_bytes(), gone: 1, ..Jobs::default() };
    let (auth0, sink) = (Auth0::start(jobs).await, Sink::healthy().await);
    let ended = auth0.backfill(folder.path(), &sink, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(auth0.jobs.lock().unwrap().made, 2);
    sink.assert_each_once(ids(0..20));
    auth0.jobs.lock().unwrap().fails = true;
    let ended = auth0.backfill(folder.path(), &sink, &["--restart"]).await;
    assert!(ended.code == Some(1) && ended.stderr.contains("request another with --restart"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_that_requests_an_export_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = Jobs { file: testkit::gzip(ndjson(20)), ..Jobs::default() };
    let (auth0, sink) = (Auth0::start(jobs).await, Sink::healthy().await);
    let ended = auth0.backfill(folder.path(), &sink, &["--dry-run"]).await;
    assert_eq!((ended.code, ended.messages().len()), (Some(0), 20), "{ended:?}");
    assert!(files(folder.path()).is_empty() && sink.server.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_reported_with_what_to_do_and_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let auth0 = Auth0::start(Jobs::default()).await;
    let url = auth0.server.url();
    for (domain, expected) in [
        (url.as_str(), "AUTH0_MANAGEMENT_TOKEN must be a token of the Management API"),
        ("http://tenant.eu.auth0.com", "--domain must be a tenant's domain"),
    ] {
        let ended = run(folder.path(), &["auth0", "--domain", domain, "--token", "hunter2"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(expected) && !ended.stderr.contains("hunter2"), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_run_after_an_interrupted_one_requests_no_second_export() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = Jobs { file: testkit::gzip(ndjson(20)), ..Jobs::default() };
    let (auth0, sink) = (Auth0::start(jobs).await, Sink::healthy().await);
    let url = auth0.server.url();
    let arguments = ["auth0", "--domain", &url, "--token", TOKEN, "--segment-endpoint", &sink.server.url()];
    let arguments = [&arguments[..], &["--write-key", "key"]].concat();
    let child = command(folder.path(), &arguments).spawn().unwrap();
    while auth0.jobs.lock().unwrap().looked_at < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    kill(child.id(), "-INT");
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let ended = Ended::from(&output);
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(run(folder.path(), &arguments).await.code, Some(0));
    assert_eq!(auth0.jobs.lock().unwrap().made, 1);
    sink.assert_each_once(ids(0..20));
}
