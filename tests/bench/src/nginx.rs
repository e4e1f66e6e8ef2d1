//! Compares `segue serve` with the limit that this machine sets: nginx forwards the same webhooks, with the same
//! client and the same sink, and checks and stores nothing. The client alone with the sink is the limit of the
//! benchmark itself.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

use crate::{
    adapters::{self, Sink},
    forwarding::{CONNECTIONS, LOGINS, ROUNDS, Row, TIME, measure},
    logins::Logins,
    median,
};

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
