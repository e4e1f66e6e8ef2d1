//! The two programs that are compared, and the sink behind them.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

use crate::load::SIGNING_SECRET;

/// A started program.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it takes webhooks.
    pub path: &'static str,
    _data: Option<tempfile::TempDir>,
}

impl Program {
    /// The most memory it ever had resident, in MiB (Linux, `VmHWM`).
    pub fn peak_memory(&self) -> f64 {
        crate::memory(self.child.id().unwrap(), "VmHWM")
    }
}

/// `segue serve`, with webhooks authenticated and its store on disk.
pub async fn segue(sink: &str) -> Program {
    let data = tempfile::tempdir_in("target").unwrap();
    let mut command = Command::new("target/release/segue");
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--write-key", "key", "--segment-endpoint", sink])
        .args(["--fusionauth-signing-secret", SIGNING_SECRET, "--data-dir"])
        .arg(data.path());
    let mut child = start(command);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next_line().await.unwrap().expect("segue did not start");
        if let Some(rest) = line.split("http://").nth(1).filter(|_| line.contains("FusionAuth webhook")) {
            break rest.split('/').next().unwrap().parse().unwrap();
        }
    };
    // What it goes on to print must find a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Program { child, address, path: "/identity/fusionauth", _data: Some(data) }
}

/// The adapter of FusionAuth's guide.
pub async fn node(sink: &str) -> Program {
    // A free port: taken and given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("node");
    command.arg("tests/bench/node/adapter.mjs").env("SEGMENT", sink).env("PORT", port.to_string());
    command.env("NODE_ENV", "production");
    let mut child = start(command);
    let ready = BufReader::new(child.stdout.take().unwrap()).lines().next_line().await.unwrap();
    assert_eq!(ready.as_deref(), Some("ready"), "run npm ci in tests/bench/node");
    Program { child, address: ([127, 0, 0, 1], port).into(), path: "/", _data: None }
}

/// The stand-in for Segment.
pub struct Sink {
    _child: Child,
    /// Its base URL.
    pub url: String,
}

impl Sink {
    /// Starts it.
    pub async fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("sink");
        let mut child = start(command);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { url: lines.next_line().await.unwrap().unwrap(), _child: child }
    }

    /// How many messages it took.
    pub async fn taken(&self) -> usize {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut buffer = vec![0; 4096];
        let length = stream.read(&mut buffer).await.unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        text.split("\r\n\r\n").nth(1).unwrap().parse().unwrap()
    }

    /// Waits until it took `count` messages; returns how many it took when that does not happen in 60 s.
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

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    command.spawn().unwrap()
}
