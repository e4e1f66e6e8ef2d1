//! Restarts `segue serve` with a backlog: the time until it serves, its memory, and the rate at which the backlog
//! drains.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    adapters::{self, Program, Sink},
    load,
};

const BACKLOG: usize = 1_000_000;

/// The number of messages that show the rate without a backlog.
const NORMAL: usize = 200_000;

const CONNECTIONS: usize = 2;

/// The longest wait for the first answer, and for the whole backlog.
const PATIENCE: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(600);

/// A start with a backlog.
struct Start {
    /// The seconds until `GET /health` is answered 200.
    healthy: f64,
    /// The seconds until the first message is answered 200.
    first: f64,
    /// The peak memory by then, in MiB.
    memory: f64,
}

/// Prints the table. An argument is the number of messages instead of a million.
pub async fn measure(arguments: &[String]) {
    let backlog = arguments.first().map_or(BACKLOG, |number| number.parse().unwrap());
    let mut columns = Vec::new();
    for options in [&[][..], adapters::WITHOUT_PAGE] {
        columns.push(one(backlog, options).await);
    }
    println!("\n{backlog} messages wait for one webhook and for Segment\n");
    println!("| | segue serve | `--page off` |");
    println!("|---|---|---|");
    for (at, name) in ROWS.iter().enumerate() {
        println!("| {name} | {} | {} |", columns[0][at], columns[1][at]);
    }
}

const ROWS: [&str; 13] = [
    "its store, MiB",
    "after SIGTERM: healthy, s",
    "after SIGTERM: first message answered 200, s",
    "after SIGTERM: peak memory by then, MiB",
    "after SIGKILL: healthy, s",
    "after SIGKILL: first message answered 200, s",
    "after SIGKILL: peak memory by then, MiB",
    "peak memory while it drains, MiB",
    "after SIGKILL: the webhook has all, s",
    "after SIGKILL: Segment has all, s",
    "deliveries a second, from the first tenth to the last",
    "deliveries a second without a backlog",
    "ratio",
];

/// Returns the figures of a server with these options, in the order of the rows.
async fn one(backlog: usize, options: &[&str]) -> [String; ROWS.len()] {
    let normal = normal(options).await;
    let sink = Sink::start_closed().await;
    let webhooks = [format!("{}/healthy", sink.receivers[0])];
    let program = adapters::segue(&sink.url, &webhooks, options).await;
    let filling = Instant::now();
    load::send(program.address, 0..backlog, CONNECTIONS).await;
    println!(
        "{options:?}: {backlog} messages in {:.0?}, {:.1} MiB resident, at most {:.1}",
        filling.elapsed(),
        program.memory(),
        program.peak_memory()
    );
    let store = program.file("segue.db") + program.file("segue.db-wal");
    let stopping = Instant::now();
    let data = program.terminate().await;
    println!("stopped in {:.1?}", stopping.elapsed());

    // From here on deliveries succeed, so that they compete with the start.
    sink.open().await;
    let (program, terminated) = start(data, &sink, &webhooks, options, backlog).await;
    let data = program.kill().await;
    let restarting = Instant::now();
    let (program, killed) = start(data, &sink, &webhooks, options, backlog + 1).await;
    let count = backlog + 2;
    let mut progress = Progress::default();
    let drained = loop {
        let (at, delivered, taken) =
            (restarting.elapsed(), sink.received(0).await.messages, sink.taken().await);
        progress.add(at, delivered, taken, count);
        if delivered >= count && taken >= count {
            break true;
        }
        if at > DRAIN {
            println!("{delivered} of {count} are delivered, and {taken} to Segment");
            break false;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let seconds = |times: &[f64]| match times.get(SHARES.len() - 1) {
        Some(time) if drained => format!("{time:.1}"),
        _ => "not all".to_owned(),
    };
    println!(
        "these thousandths arrived: {SHARES:?}, at the webhook after {:.1?} s, at Segment after {:.1?} s",
        progress.webhook, progress.segment
    );
    let rate = progress.middle_rate(count);
    [
        format!("{store:.0}"),
        format!("{:.2}", terminated.healthy),
        format!("{:.2}", terminated.first),
        format!("{:.1}", terminated.memory),
        format!("{:.2}", killed.healthy),
        format!("{:.2}", killed.first),
        format!("{:.1}", killed.memory),
        format!("{:.1}", program.peak_memory()),
        seconds(&progress.webhook),
        seconds(&progress.segment),
        format!("{rate:.0}"),
        format!("{normal:.0}"),
        format!("{:.2}", rate / normal),
    ]
}

/// The observed shares of the messages, in thousandths. The last few messages may take as long as all others.
const SHARES: [usize; 12] = [100, 200, 300, 400, 500, 600, 700, 800, 900, 990, 999, 1_000];

/// The seconds after which each share of the messages had arrived.
#[derive(Default)]
struct Progress {
    webhook: Vec<f64>,
    segment: Vec<f64>,
}

impl Progress {
    fn add(&mut self, at: Duration, delivered: usize, taken: usize, count: usize) {
        for (times, arrived) in [(&mut self.webhook, delivered), (&mut self.segment, taken)] {
            while SHARES.get(times.len()).is_some_and(|share| arrived >= count * share / 1_000) {
                times.push(at.as_secs_f64());
            }
        }
    }

    /// Returns the deliveries a second to the webhook between the first tenth of the messages and the last.
    fn middle_rate(&self, count: usize) -> f64 {
        match (self.webhook.first(), self.webhook.get(8)) {
            (Some(from), Some(to)) => count as f64 * 0.8 / (to - from),
            _ => 0.0,
        }
    }
}

/// Returns the deliveries a second of a new server with a healthy webhook.
async fn normal(options: &[&str]) -> f64 {
    let sink = Sink::start().await;
    let program = adapters::segue(&sink.url, &[format!("{}/healthy", sink.receivers[0])], options).await;
    let start = Instant::now();
    load::send(program.address, 0..NORMAL, CONNECTIONS).await;
    sink.receives(0, NORMAL).await;
    NORMAL as f64 / start.elapsed().as_secs_f64()
}

/// Starts the server with this store, and sends it the message with this number as soon as it is healthy.
async fn start(
    data: TempDir,
    sink: &Sink,
    webhooks: &[String],
    options: &[&str],
    number: usize,
) -> (Program, Start) {
    let start = Instant::now();
    let program = adapters::segue_in(data, &sink.url, webhooks, options, |_| ()).await;
    while !is_healthy(program.address).await {
        assert!(start.elapsed() < PATIENCE, "not healthy");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let healthy = start.elapsed().as_secs_f64();
    load::send(program.address, number..number + 1, 1).await;
    let first = start.elapsed().as_secs_f64();
    let measured = Start { healthy, first, memory: program.peak_memory() };
    println!("healthy after {healthy:.2} s, first 200 after {first:.2} s, {:.1} MiB", measured.memory);
    (program, measured)
}

async fn is_healthy(address: SocketAddr) -> bool {
    let answer = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await?;
        let mut start = [0; 12];
        stream.read_exact(&mut start).await?;
        Ok::<_, std::io::Error>(start.ends_with(b" 200"))
    };
    answer.await.unwrap_or(false)
}
