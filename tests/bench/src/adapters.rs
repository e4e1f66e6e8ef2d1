//! The two programs to compare, and the sink behind them.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

use crate::{
    load::{self, SIGNING_SECRET, WRITE_KEY},
    sink::RECEIVERS,
};

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
    data: Option<tempfile::TempDir>,
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

/// The options of a server whose page nobody uses.
pub const WITHOUT_PAGE: &[&str] = &["--page", "off"];

/// Starts `segue serve` with authenticated webhooks and its store on disk. It delivers to the sink as
/// Segment, and to `webhooks`.
pub async fn segue(sink: &str, webhooks: &[String], further: &[&str]) -> Program {
    let data = tempfile::tempdir_in(crate::built("")).unwrap();
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
    // Takes a free port and gives it back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("sink");
        let mut child = start(command);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next_line().await.unwrap().unwrap();
        let mut receivers = Vec::new();
        for _ in 0..RECEIVERS {
            receivers.push(lines.next_line().await.unwrap().unwrap());
        }
        Self { url, receivers, _child: child }
    }

    /// Returns the number of messages that Segment took.
    pub async fn taken(&self) -> usize {
        fetched(&self.url).await.parse().unwrap()
    }

    /// Returns the requests that a receiver got.
    pub async fn received(&self, receiver: usize) -> Received {
        let numbers: Value = serde_json::from_str(&fetched(&self.receivers[receiver]).await).unwrap();
        let number = |name: &str| usize::try_from(numbers[name].as_u64().unwrap()).unwrap();
        let time = |time: &Value| Duration::from_micros(time.as_u64().unwrap());
        Received {
            posts: number("posts"),
            connections: number("connections"),
            messages: number("messages"),
            times: numbers["times"].as_array().unwrap().iter().map(time).collect(),
        }
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
async fn fetched(url: &str) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    load::read_answer(&mut stream, &mut Vec::new()).await
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    command.spawn().unwrap()
}
