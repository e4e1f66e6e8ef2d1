//! A store, a Segment and `segue serve` between them, and the rule that holds under each fault.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use faults::{Faults, message_ids};
use platform::{clock::SystemClock, sqlite::Store};
use reqwest::StatusCode;
use serde_json::Value;
use testkit::{Answer, FakeServer};

use super::load::{Answers, post};
use crate::process::Server;

/// The subject of one test.
pub struct Subject {
    pub data: PathBuf,
    pub faults: Faults,
    pub segment: FakeServer,
    pub answers: Answers,
    _folder: tempfile::TempDir,
}

impl Subject {
    /// Creates a subject whose Segment answers 503, so that everything stays in the store.
    pub async fn refused() -> Self {
        Self::new(FakeServer::start(|_| Answer::status(503)).await, Faults::new)
    }

    /// Creates a subject with this Segment.
    pub fn new(segment: FakeServer, faults: fn(&Path) -> Faults) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("store");
        Self { faults: faults(&data), data, segment, answers: Answers::default(), _folder: folder }
    }

    /// Starts the server with the subject's faults.
    pub fn start(&self) -> Server {
        self.start_with(&[], |command| self.faults.preload(command))
    }

    /// Starts the server with more options.
    pub fn start_with(&self, options: &[&str], prepare: impl FnOnce(&mut Command)) -> Server {
        let segment = self.segment.url();
        let options = [&["--segment-endpoint", &segment, "--write-key", "key"], options].concat();
        Server::start_with(&self.data, &options, prepare)
    }

    /// Waits until the server is healthy and accepts messages, for at most 10 s.
    pub async fn recovers(&self, server: &Server) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while health(server, "/health").await.0 != StatusCode::OK
            || !post(&server.http, &server.base, &self.answers, 0).await
        {
            assert!(Instant::now() < deadline, "not well again in 10 s: {}", server.log_so_far());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Checks the rule: an accepted message is in the store or delivered, now and after a restart without
    /// faults. Kills the server if it still runs.
    pub async fn loses_nothing(&self, server: Server) {
        server.kill();
        let there = stored(&self.data).await;
        let lost = self.missing(&there);
        let count = self.answers.taken().len();
        assert!(lost.is_empty(), "{} of {count} are lost, {}", lost.len(), self.answers.summary());
        self.segment.set(|_| Answer::ok());
        let server = self.start_with(&[], |_| ());
        self.all_arrive(&server, Duration::from_secs(60)).await;
    }

    /// Waits until each accepted message is delivered or a dead letter.
    pub async fn all_arrive(&self, server: &Server, time: Duration) {
        let deadline = Instant::now() + time;
        loop {
            let state = server.queue("segment").await;
            let mut lost = self.missing(&BTreeSet::new());
            let dead = dead_letters(&state);
            lost.retain(|id| !dead.contains(id));
            if lost.is_empty() {
                return;
            }
            // A message that is neither delivered nor queued is lost.
            let over = state["depth"] == 0 || Instant::now() > deadline;
            assert!(
                !over,
                "{} of {} did not arrive, {}, {} in the queue: {:?}\n{}",
                lost.len(),
                self.answers.taken().len(),
                self.answers.summary(),
                state["depth"],
                &lost[..lost.len().min(4)],
                tail(&server.log_so_far()),
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns the accepted ids that are neither delivered nor among these.
    fn missing(&self, there: &BTreeSet<String>) -> Vec<String> {
        let delivered = received_ids(&self.segment);
        self.answers.taken().into_iter().filter(|id| !delivered.contains(id) && !there.contains(id)).collect()
    }
}

/// Returns the ids that a destination received.
pub fn received_ids(fake: &FakeServer) -> BTreeSet<String> {
    fake.taken().iter().map(|(_, message)| message["messageId"].as_str().unwrap().to_owned()).collect()
}

/// Returns the ids of a queue's dead letters in the page's JSON.
fn dead_letters(state: &Value) -> BTreeSet<String> {
    // There are none while the store cannot be read.
    let letters = state["deadLetters"].as_array().into_iter().flatten();
    let bodies = letters.map(|letter| letter["body"].as_str().unwrap());
    bodies.flat_map(|body| message_ids(body.as_bytes())).map(str::to_owned).collect()
}

/// Returns the ids in the queues and dead-letter queues of a stopped server. Opens a copy, so that the
/// restart finds the unchanged store.
pub async fn stored(data: &Path) -> BTreeSet<String> {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(data).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    opened(copy.path()).await
}

/// Returns the same ids, and may change the store.
pub async fn opened(data: &Path) -> BTreeSet<String> {
    let store = Store::open(data, SystemClock::shared()).unwrap();
    let mut ids = BTreeSet::new();
    for queue in ["segment", "webhooks", "regulations"].map(|name| store.queue(name)) {
        let waiting = queue
            .fold_waiting(u32::MAX, Vec::new(), Vec::push)
            .await
            .unwrap()
            .into_iter()
            .map(|message| message.body);
        let dead = queue.dead_letters(u32::MAX).await.unwrap().into_iter().map(|message| message.body);
        for body in waiting.chain(dead) {
            ids.extend(message_ids(body.as_bytes()).map(str::to_owned));
        }
    }
    ids
}

/// Returns the status and the body of a health check.
pub async fn health(server: &Server, path: &str) -> (StatusCode, Value) {
    let request = server.http.get(format!("{}{path}", server.base)).timeout(Duration::from_secs(5));
    let Ok(answer) = request.send().await else { return (StatusCode::REQUEST_TIMEOUT, Value::Null) };
    (answer.status(), answer.json().await.unwrap_or_default())
}

/// Checks that within this time the health check refuses messages and the process lives.
pub async fn says_unhealthy(server: &Server, time: Duration) {
    let deadline = Instant::now() + time;
    loop {
        let (status, body) = health(server, "/health").await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            assert!(body["error"].is_string() && body["message"].is_string(), "{body}");
            break;
        }
        assert!(Instant::now() < deadline, "/health is still {status} after {time:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(health(server, "/health/live").await.0, StatusCode::OK);
}

/// Runs the command under a shell limit, such as `ulimit -n 40`.
pub fn limit(command: &mut Command, limit: &str) {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")]).arg(command.get_program());
    limited.args(command.get_args()).env_clear();
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    *command = limited;
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
