//! Clients that post without a pause and record the answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::process::Server;

/// The answers to the clients, over all loads of a test.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// The accepted ids, with the start time of the request.
    taken: BTreeMap<String, Instant>,
    statuses: BTreeMap<u16, usize>,
    broken: usize,
}

impl Answers {
    /// Returns the accepted ids.
    pub fn taken(&self) -> BTreeSet<String> {
        self.0.lock().unwrap().taken.keys().cloned().collect()
    }

    /// Returns the accepted ids of requests that started after this time.
    pub fn accepted_since(&self, time: Instant) -> Vec<String> {
        let state = self.0.lock().unwrap();
        state.taken.iter().filter(|(_, began)| **began > time).map(|(id, _)| id.clone()).collect()
    }

    /// Returns the number of answers with this status.
    pub fn count(&self, status: StatusCode) -> usize {
        self.0.lock().unwrap().statuses.get(&status.as_u16()).copied().unwrap_or_default()
    }

    /// Waits for so many more answers with this status.
    pub async fn more(&self, status: StatusCode, count: usize) {
        let before = self.count(status);
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.count(status) < before + count {
            assert!(Instant::now() < deadline, "not {count} more with {status} in 20 s: {}", self.summary());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for so many more ended requests, or for this long.
    pub async fn some_more(&self, count: usize, time: Duration) {
        let before = self.ended();
        let deadline = Instant::now() + time;
        while self.ended() < before + count && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn ended(&self) -> usize {
        let state = self.0.lock().unwrap();
        state.statuses.values().sum::<usize>() + state.broken
    }

    /// Describes the answers for the text of a failing test.
    pub fn summary(&self) -> String {
        let state = self.0.lock().unwrap();
        format!("answers {:?}, broken off {}", state.statuses, state.broken)
    }

    fn ended_with(&self, ids: Vec<String>, began: Instant, status: Option<StatusCode>) {
        let mut state = self.0.lock().unwrap();
        match status {
            Some(status) => *state.statuses.entry(status.as_u16()).or_default() += 1,
            None => state.broken += 1,
        }
        if status == Some(StatusCode::OK) {
            state.taken.extend(ids.into_iter().map(|id| (id, began)));
        }
    }
}

/// Running clients.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts so many clients with one request each at a time. This share of requests are batches of 150 to
    /// 430 KB.
    pub fn start(server: &Server, answers: &Answers, clients: usize, large: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let (http, base, answers, stop) =
                (server.http.clone(), server.base.clone(), answers.clone(), stop.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let taken = if fastrand::f64() < large {
                        let bytes = fastrand::usize(150_000..430_000);
                        post(&http, &base, &answers, bytes).await
                    } else {
                        post(&http, &base, &answers, 0).await
                    };
                    if !taken {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            })
        };
        Self { clients: (0..clients).map(client).collect(), stop }
    }

    /// Stops each client after its current request.
    pub async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.await.unwrap();
        }
    }
}

/// Posts one small message, or with `bytes` a batch of about that size. Returns whether it was accepted.
pub async fn post(http: &Client, base: &str, answers: &Answers, bytes: usize) -> bool {
    const MEMBER: usize = 3_000;
    let members: Vec<Value> = (0..bytes / MEMBER).map(|_| message(MEMBER)).collect();
    let (path, body) = match members.is_empty() {
        true => ("track", message(fastrand::usize(0..600))),
        false => ("batch", json!({"batch": members})),
    };
    let ids = ids(&body);
    let request = http.post(format!("{base}/v1/{path}")).basic_auth("key", Some(""));
    let request = request.header("content-type", "application/json").body(body.to_string());
    let began = Instant::now();
    // Longer than a request waits for the store.
    let answer = request.timeout(Duration::from_secs(6)).send().await;
    let status = answer.ok().map(|answer| answer.status());
    answers.ended_with(ids, began, status);
    status == Some(StatusCode::OK)
}

/// The id is the first member, so that it is not split over two pages of the store.
fn message(bytes: usize) -> Value {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let id = format!("m-{:08}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let filler = "x".repeat(bytes);
    json!({"messageId": id, "type": "track", "userId": "u", "event": "e", "properties": {"filler": filler}})
}

fn ids(body: &Value) -> Vec<String> {
    let messages = body["batch"].as_array().map_or_else(|| vec![body], |batch| batch.iter().collect());
    messages.iter().map(|message| message["messageId"].as_str().unwrap().to_owned()).collect()
}
