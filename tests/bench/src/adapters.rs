//! The two programs to compare, and the sink behind them.

use std::{
    net::SocketAddr,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

use crate::{
    load::{self, SIGNING_SECRET, WRITE_KEY},
    sink::RECEIVERS,
};

/// The longest wait for the next delivery.
const PATIENCE: Duration = Duration::from_secs(120);

/// The requests that a receiver got.
pub struct Received {
    /// The number of requests.
    pub posts: usize,
    /// The number of connections.
    pub connections: usize,
    /// The number of distinct messages.
    pub messages: usize,
    /// The times from sending to receiving, for messages that contain their time of sending.
    pub times: Vec<Duration>,
    /// The number of logins that arrived again.
    pub repeats: usize,
}

/// A started program.
pub struct Program {
    child: Child,
    /// Its address.
    pub address: SocketAddr,
    /// The path of its webhooks.
    pub path: &'static str,
    /// Whether Segment also gets the messages.
    pub serves_segment: bool,
    data: Option<TempDir>,
}

impl Program {
    /// Returns its highest resident memory so far, in MiB (Linux, `VmHWM`).
    pub fn peak_memory(&self) -> f64 {
        crate::memory(self.child.id().unwrap(), "VmHWM")
    }

    /// Returns its resident memory now, in MiB (Linux, `VmRSS`).
    pub fn memory(&self) -> f64 {
        crate::memory(self.child.id().unwrap(), "VmRSS")
    }

    /// Returns the size of a file in its store, in MiB.
    pub fn file(&self, name: &str) -> f64 {
        let path = self.data.as_ref().unwrap().path().join(name);
        std::fs::metadata(path).map_or(0.0, |file| file.len() as f64 / 1_048_576.0)
    }
}

impl Program {
    /// Kills it with SIGKILL. Returns the folder of its store.
    pub async fn kill(mut self) -> TempDir {
        self.child.kill().await.unwrap();
        self.data.unwrap()
    }

    /// Ends it with SIGTERM, and kills it if it still runs after a minute. Returns the folder of its store.
    pub async fn terminate(mut self) -> TempDir {
        let process = self.child.id().unwrap().to_string();
        Command::new("kill").arg(process).status().await.unwrap();
        if tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.is_err() {
            self.child.kill().await.unwrap();
        }
        self.data.unwrap()
    }
}

/// The options of a server whose page nobody uses.
pub const WITHOUT_PAGE: &[&str] = &["--page", "off"];

/// Returns a new folder for a store, on the disk of the binaries: `/tmp` may be in memory.
pub fn folder() -> TempDir {
    tempfile::tempdir_in(crate::built("")).unwrap()
}

/// Returns a free port of loopback.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts `segue serve` with authenticated webhooks and its store on disk. It delivers to the sink as
/// Segment, and to `webhooks`.
pub async fn segue(sink: &str, webhooks: &[String], further: &[&str]) -> Program {
    segue_in(folder(), sink, webhooks, further, |_| ()).await
}

/// Starts it with the store in this folder. `prepare` may change the command.
pub async fn segue_in(
    data: TempDir,
    sink: &str,
    webhooks: &[String],
    further: &[&str],
    prepare: impl FnOnce(&mut std::process::Command),
) -> Program {
    let mut command = Command::new(crate::built("segue"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--write-key", WRITE_KEY, "--segment-endpoint", sink])
        .args(["--fusionauth-signing-secret", SIGNING_SECRET, "--log-level", "error", "--data-dir"])
        .arg(data.path())
        .args(further);
    if !webhooks.is_empty() {
        command.args(["--allow-private-webhooks", "--shared-secret", SIGNING_SECRET]);
        command.args(webhooks.iter().flat_map(|url| ["--webhook", url]));
    }
    prepare(command.as_std_mut());
    let mut child = start(command);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("segue did not start");
        if let Some(rest) = line.split("http://").nth(1).filter(|_| line.contains("Identity providers")) {
            break rest.split('/').next().unwrap().parse().unwrap();
        }
    };
    // Its further output must have a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Program { child, address, path: "/identity/fusionauth", serves_segment: true, data: Some(data) }
}

/// Starts qhook with its store in this folder, and this receiver. `prepare` may change the command.
pub async fn qhook_in(
    data: TempDir,
    receiver: &str,
    prepare: impl FnOnce(&mut std::process::Command),
) -> Program {
    let (port, place) = (free_port(), data.path().display());
    // A restart at once takes up the deliveries that a kill interrupted; by default qhook leaves them for five
    // minutes.
    let configuration = format!(
        "database: {{ driver: sqlite, url: \"sqlite:{place}/qhook.db?mode=rwc\" }}\n\
         server: {{ port: {port}, max_inbound: 10000, allow_private_urls: true }}\n\
         worker: {{ max_concurrency: 100, batch_size: 100, stale_threshold_secs: 0 }}\n\
         sources: {{ logins: {{ type: webhook, verify: hmac, secret: {SIGNING_SECRET} }} }}\n\
         handlers: {{ sink: {{ source: logins, url: \"{receiver}\" }} }}\n"
    );
    let file = data.path().join("qhook.yaml");
    std::fs::write(&file, configuration).unwrap();
    let mut command = Command::new(".tools/qhook/bin/qhook");
    command.args(["start", "--config"]).arg(file).env("RUST_LOG", "error");
    prepare(command.as_std_mut());
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().expect("run make bench-peers, which installs qhook");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(address).await.is_err() {
        let status = child.try_wait().unwrap();
        assert!(status.is_none() && Instant::now() < deadline, "qhook did not start: {status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Program { child, address, path: "/webhooks/logins", serves_segment: false, data: Some(data) }
}

/// The adapter of FusionAuth's guide.
pub async fn node(sink: &str) -> Program {
    let mut command = Command::new("node");
    command.arg("tests/bench/node/adapter.mjs").env("SEGMENT", sink);
    node_program(command).await
}

/// The script that delivers to webhooks without Segue.
pub async fn node_deliver(webhooks: &[String]) -> Program {
    let mut command = Command::new("node");
    command.arg("tests/bench/node/deliver.mjs").env("WEBHOOKS", webhooks.join(" "));
    command.env("SECRET", SIGNING_SECRET);
    node_program(command).await
}

async fn node_program(mut command: Command) -> Program {
    let port = free_port();
    command.env("PORT", port.to_string()).env("NODE_ENV", "production");
    let mut child = start(command);
    let ready = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap();
    assert_eq!(ready.as_deref(), Some("ready"), "run npm ci in tests/bench/node");
    Program { child, address: ([127, 0, 0, 1], port).into(), path: "/", serves_segment: false, data: None }
}

/// The fake of Segment and of webhook receivers.
pub struct Sink {
    _child: Child,
    /// Segment's base URL.
    pub url: String,
    /// The base URLs of the receivers.
    pub receivers: Vec<String>,
}

impl Sink {
    /// Starts it.
    pub async fn start() -> Self {
        Self::start_as("sink").await
    }

    /// Starts it so that it answers 503 before it is [opened](Self::open).
    pub async fn start_closed() -> Self {
        Self::start_as("closed-sink").await
    }

    async fn start_as(name: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(name);
        let mut child = start(command);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next_line().await.unwrap().unwrap();
        let mut receivers = Vec::new();
        for _ in 0..RECEIVERS {
            receivers.push(lines.next_line().await.unwrap().unwrap());
        }
        Self { url, receivers, _child: child }
    }

    /// Lets a closed sink take messages.
    pub async fn open(&self) {
        fetched(&self.url, "/open").await;
    }

    /// Returns the number of messages that Segment took.
    pub async fn taken(&self) -> usize {
        fetched(&self.url, "/").await.parse().unwrap()
    }

    /// Returns the requests that a receiver got.
    pub async fn received(&self, receiver: usize) -> Received {
        let numbers: Value = serde_json::from_str(&fetched(&self.receivers[receiver], "/").await).unwrap();
        let number = |name: &str| usize::try_from(numbers[name].as_u64().unwrap()).unwrap();
        let time = |time: &Value| Duration::from_micros(time.as_u64().unwrap());
        Received {
            posts: number("posts"),
            connections: number("connections"),
            messages: number("messages"),
            repeats: number("repeats"),
            times: numbers["times"].as_array().unwrap().iter().map(time).collect(),
        }
    }

    /// Waits until a receiver has got `count` messages. Panics if it gets none for two minutes.
    pub async fn receives(&self, receiver: usize, count: usize) {
        let (mut messages, mut since) = (0, Instant::now());
        while messages < count {
            let now = self.received(receiver).await.messages;
            if now > messages {
                (messages, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < PATIENCE, "receiver {receiver} got {messages} of {count} messages");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns when each login first arrived at the first receiver, since the epoch. Indexed by the logins'
    /// numbers; zero means not yet.
    pub async fn arrivals(&self) -> Vec<Duration> {
        let times: Vec<u64> = serde_json::from_str(&fetched(&self.receivers[0], "/arrivals").await).unwrap();
        times.into_iter().map(Duration::from_micros).collect()
    }

    /// Waits until Segment took `count` messages. After 60 s, returns how many it took.
    pub async fn took(&self, count: usize) -> usize {
        for _ in 0..600 {
            if self.taken().await >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.taken().await
    }
}

/// Returns the numbers of one part of the sink.
async fn fetched(url: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).await.unwrap();
    load::read_answer(&mut stream, &mut Vec::new()).await
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap()
}
