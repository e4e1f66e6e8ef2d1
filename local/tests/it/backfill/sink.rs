//! A fake Segment that fails now and then.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::Value;
use testkit::{Answer, FakeServer};

/// Accepts everything and, like Segment, drops messages with a known messageId.
pub struct Sink {
    pub server: FakeServer,
    /// The process to kill, and after how many requests.
    pub victim: Arc<AtomicU32>,
    pub kill_in: Arc<AtomicU32>,
}

impl Sink {
    /// Starts one that fails about every `one_in`th time; 0 is never.
    pub async fn failing(seed: u64, one_in: u32) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let (victim, kill_in) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(u32::MAX)));
        let (pid, countdown) = (victim.clone(), kill_in.clone());
        let server = FakeServer::start(move |_| {
            if countdown.fetch_sub(1, Ordering::SeqCst) == 1 {
                kill(pid.load(Ordering::SeqCst), "-KILL");
                return if random.bool() { Answer::ResetAfter } else { Answer::ResetBefore };
            }
            if one_in == 0 || random.u32(0..one_in) > 0 {
                return Answer::ok();
            }
            match random.u8(0..4) {
                0 => Answer::rate_limited("0"),
                1 => Answer::Status(503, vec![("Retry-After", "0".to_owned())], String::new()),
                2 => Answer::ResetBefore,
                _ => Answer::ResetAfter,
            }
        })
        .await;
        Self { server, victim, kill_in }
    }

    /// Starts one that never fails.
    pub async fn healthy() -> Self {
        Self::failing(0, 0).await
    }

    /// The options that send messages to it.
    pub fn options(&self) -> [String; 5] {
        ["--segment-endpoint", &self.server.url(), "--write-key", "key", "--rate=1000000"].map(str::to_owned)
    }

    /// The first message of each messageId.
    pub fn messages(&self) -> Vec<Value> {
        let mut known = HashSet::new();
        let first = |message: &Value| known.insert(message["messageId"].as_str().unwrap().to_owned());
        self.server.taken().into_iter().map(|(_, message)| message).filter(first).collect()
    }

    /// How often each user is in these messages.
    pub fn users(&self) -> BTreeMap<String, usize> {
        let mut users = BTreeMap::new();
        for message in self.messages() {
            *users.entry(message["userId"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        users
    }

    /// Asserts that each of these users arrived exactly once, and no others.
    pub fn assert_each_once(&self, expected: impl IntoIterator<Item = String>) {
        let users = self.users();
        let expected: BTreeSet<String> = expected.into_iter().collect();
        let missing: Vec<&String> =
            expected.iter().filter(|user| !users.contains_key(*user)).take(5).collect();
        let others: Vec<&String> = users.keys().filter(|user| !expected.contains(*user)).take(5).collect();
        let repeated: Vec<_> = users.iter().filter(|(_, count)| **count > 1).take(5).collect();
        assert!(
            missing.is_empty() && others.is_empty() && repeated.is_empty(),
            "missing {missing:?}, others {others:?}, repeated {repeated:?}"
        );
    }
}

/// Sends a signal to a process.
pub fn kill(pid: u32, signal: &str) {
    std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
}
