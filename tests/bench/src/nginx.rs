//! Compares `segue serve` with the limit that this machine sets: nginx forwards the same webhooks, with the same
//! client and the same sink, and checks and stores nothing. The client alone with the sink is the limit of the
//! benchmark itself.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use crate::{
    adapters::{self, Sink},
    logins::Logins,
    median,
};

const ROUNDS: usize = 3;
const CONNECTIONS: usize = 32;
const TIME: Duration = Duration::from_secs(5);

/// A round ends early when all are sent. They take half a gigabyte of memory.
const LOGINS: usize = 200_000;

/// One round of one program.
struct Row {
    accepted: f64,
    delivered: f64,
    median: f64,
    p99: f64,
    received_p99: f64,
}

/// Prints the table. The programs run alternately, and the medians of the rounds are compared.
pub async fn compare() {
    let logins = Logins::sign(LOGINS);
    let (mut sink_alone, mut nginx) = (Vec::new(), Vec::new());
    let (mut segue, mut without_page) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let sink = Sink::start().await;
        let address = sink.receivers[0].trim_start_matches("http://").parse().unwrap();
        sink_alone.push(measure("the sink alone", address, "/logins", &logins, &sink).await);

        let sink = Sink::start().await;
        let Some(proxy) = Nginx::start(&sink.receivers[0]).await else {
            println!("\ninstall nginx: this table needs it");
            return;
        };
        nginx.push(measure("nginx", proxy.address, "/logins", &logins, &sink).await);
        drop(proxy);

        for (name, rows, options) in
            [("segue", &mut segue, &[][..]), ("segue --page off", &mut without_page, adapters::WITHOUT_PAGE)]
        {
            let sink = Sink::start().await;
            let webhook = format!("{}/logins", sink.receivers[0]);
            let program = adapters::segue(&sink.url, &[webhook], options).await;
            rows.push(measure(name, program.address, program.path, &logins, &sink).await);
        }
    }
    println!("\n{CONNECTIONS} connections, {TIME:?} a round, medians of {ROUNDS} rounds\n");
    println!("| | client and sink alone | nginx | segue serve | of nginx | `--page off` | of nginx |");
    println!("|---|---|---|---|---|---|---|");
    let line = |name: &str, digits: usize, figure: fn(&Row) -> f64| {
        let [alone, nginx, segue, off] = [&sink_alone, &nginx, &segue, &without_page]
            .map(|rows| median(rows.iter().map(figure).collect()));
        println!(
            "| {name} | {alone:.digits$} | {nginx:.digits$} | {segue:.digits$} | {:.2} | {off:.digits$} | {:.2} |",
            segue / nginx,
            off / nginx
        );
    };
    line("accepted webhooks a second", 0, |row| row.accepted);
    line("delivered webhooks a second", 0, |row| row.delivered);
    line("median latency of the answer, ms", 2, |row| row.median);
    line("p99 latency of the answer, ms", 2, |row| row.p99);
    line("p99 from sent to received, ms", 2, |row| row.received_p99);
}

/// Sends logins, and waits until all have arrived.
async fn measure(name: &str, address: SocketAddr, path: &str, logins: &Arc<Logins>, sink: &Sink) -> Row {
    let start = Instant::now();
    let sent = logins.send(address, path, 0, CONNECTIONS, TIME).await;
    let accepting = start.elapsed();
    assert!(sent.iter().all(|one| one.accepted), "{name} did not accept all");
    sink.receives(0, sent.len()).await;
    let arrivals = sink.arrivals().await;
    let first = sent.iter().map(|one| one.at).min().unwrap();
    let delivering = arrivals.iter().max().unwrap().saturating_sub(first);
    let took = sorted(sent.iter().map(|one| one.took));
    let received = sorted(sent.iter().map(|one| arrivals[one.number].saturating_sub(one.at)));
    let row = Row {
        accepted: sent.len() as f64 / accepting.as_secs_f64(),
        delivered: sent.len() as f64 / delivering.as_secs_f64(),
        median: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
        received_p99: received[received.len() * 99 / 100],
    };
    println!(
        "{name}: accepted {:.0}/s, delivered {:.0}/s, p99 {:.2} ms, {} posts",
        row.accepted,
        row.delivered,
        row.p99,
        sink.received(0).await.posts
    );
    row
}

/// Returns milliseconds in order.
fn sorted(times: impl Iterator<Item = Duration>) -> Vec<f64> {
    let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1_000.0).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// A running nginx with its own configuration.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Nginx {
    /// Starts an nginx that forwards everything to this upstream. Returns `None` if nginx is not installed.
    async fn start(upstream: &str) -> Option<Self> {
        let folder = adapters::folder();
        let address = SocketAddr::from(([127, 0, 0, 1], adapters::free_port()));
        let (place, upstream) = (folder.path().display(), upstream.trim_start_matches("http://"));
        let configuration = format!(
            "daemon off; worker_processes 2; pid {place}/pid; error_log stderr error;
            events {{ worker_connections 1024; }}
            http {{
              access_log off; tcp_nodelay on; keepalive_requests 1000000000;
              client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
              fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
              upstream sink {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
              server {{
                listen {address}; client_body_buffer_size 64k;
                location / {{
                  proxy_pass http://sink; proxy_http_version 1.1; proxy_set_header Connection \"\";
                }}
              }}
            }}"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-e").arg("stderr").arg("-c").arg(file).arg("-p").arg(folder.path());
        let child = match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            child => child.unwrap(),
        };
        let mut nginx = Self { child, address, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).await.is_err() {
            let status = nginx.child.try_wait().unwrap();
            assert!(status.is_none() && Instant::now() < deadline, "nginx did not start: {status:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    /// Asks it to stop: SIGKILL would leave its workers.
    fn drop(&mut self) {
        if let Some(process) = self.child.id() {
            let _ = std::process::Command::new("kill").arg(process.to_string()).status();
        }
        // It removes a file from the folder.
        for _ in 0..100 {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
