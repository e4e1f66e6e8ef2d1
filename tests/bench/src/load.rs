//! Sends requests as fast as they are answered, over connections that stay open: webhooks for some time, or a
//! number of messages.

use std::{
    fmt::Write,
    net::SocketAddr,
    ops::Range,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::{http::content_length, since_epoch};
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{digest, hmac};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// The key that signs the webhooks.
pub const SIGNING_SECRET: &str = "bench-signing-secret-of-enough-length";

/// The write key of the messages.
pub const WRITE_KEY: &str = "key";

/// The number of messages in a request to `/v1/batch`.
pub const BATCH: usize = 100;

/// The result of a run.
pub struct Measured {
    /// The number of webhooks that were answered 200.
    pub accepted: usize,
    /// The number of accepted webhooks a second.
    pub rate: f64,
    /// The median time from the first byte sent to the last byte of the answer.
    pub median: Duration,
    /// The time that one in a hundred exceeds.
    pub p99: Duration,
}

/// Returns whole HTTP requests. Each is a login with another event id and FusionAuth's signature.
pub fn requests(path: &str, count: usize) -> Arc<Vec<Vec<u8>>> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SIGNING_SECRET.as_bytes());
    let sample = sample_login();
    let request = |number: usize| {
        let mut body = sample.clone();
        body["event"]["id"] = format!("00000000-0000-4000-8000-{number:012}").into();
        let body = body.to_string();
        format!(
            "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             X-FusionAuth-Signature-JWT: {}\r\nContent-Length: {}\r\n\r\n{body}",
            fusionauth_signature(&key, &body),
            body.len()
        )
        .into_bytes()
    };
    Arc::new((0..count).map(request).collect())
}

/// Returns the webhook of a login.
pub fn sample_login() -> serde_json::Value {
    let sample = include_str!("../../../events/identity-webhook/bodies/fusionauth.user.login.success.json");
    serde_json::from_str(sample).unwrap()
}

/// Returns FusionAuth's signature of a body, a JWT.
pub fn fusionauth_signature(key: &hmac::Key, body: &str) -> String {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, body.as_bytes()));
    let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"request_body_sha256":"{hash}"}}"#));
    let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#));
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Sends `requests` repeatedly over `connections` connections for `time`.
pub async fn run(
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    connections: usize,
    time: Duration,
) -> Measured {
    let start = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|first| tokio::spawn(client(address, requests.clone(), first * 97, start + time)))
        .collect();
    let mut latencies = Vec::new();
    for client in clients {
        latencies.extend(client.await.unwrap());
    }
    let elapsed = start.elapsed();
    latencies.sort();
    Measured {
        accepted: latencies.len(),
        rate: latencies.len() as f64 / elapsed.as_secs_f64(),
        median: latencies[latencies.len() / 2],
        p99: latencies[latencies.len() * 99 / 100],
    }
}

async fn client(
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    first: usize,
    end: Instant,
) -> Vec<Duration> {
    let mut stream = connect(address).await;
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(4096);
    for number in first.. {
        let sent = Instant::now();
        if sent >= end {
            break;
        }
        stream.write_all(&requests[number % requests.len()]).await.unwrap();
        read_answer(&mut stream, &mut buffer).await;
        latencies.push(sent.elapsed());
    }
    latencies
}

/// Sends messages with these numbers in batches over `connections` connections. Returns when all are
/// accepted.
pub async fn send(address: SocketAddr, numbers: Range<usize>, connections: usize) {
    let starts = Arc::new(Mutex::new(numbers.clone().step_by(BATCH)));
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (starts, end) = (starts.clone(), numbers.end);
        clients.spawn(async move {
            let (mut stream, mut buffer) = (connect(address).await, Vec::new());
            loop {
                let Some(start) = starts.lock().unwrap().next() else { break };
                let request = batch(start..end.min(start + BATCH), None);
                stream.write_all(&request).await.unwrap();
                read_answer(&mut stream, &mut buffer).await;
            }
        });
    }
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}

/// Sends messages with these numbers one by one, `pause` apart. Each contains its time of sending.
pub async fn send_slowly(address: SocketAddr, numbers: Range<usize>, pause: Duration) {
    let (mut stream, mut buffer) = (connect(address).await, Vec::new());
    let mut turns = tokio::time::interval(pause);
    for number in numbers {
        turns.tick().await;
        stream.write_all(&batch(number..number + 1, Some(since_epoch()))).await.unwrap();
        read_answer(&mut stream, &mut buffer).await;
    }
}

/// Returns a whole HTTP request with messages of these numbers.
fn batch(numbers: Range<usize>, sent: Option<Duration>) -> Vec<u8> {
    let sent = sent.map(|sent| format!(r#","sent":{}"#, sent.as_micros())).unwrap_or_default();
    let mut body = String::from(r#"{"batch":["#);
    for number in numbers {
        if !body.ends_with('[') {
            body.push(',');
        }
        write!(
            body,
            r#"{{"type":"track","messageId":"bench-message-{number:09}","userId":"user-{}","event":"Order Completed","properties":{{"number":{number}{sent},"order_id":"50314b8e","total":27.5,"currency":"EUR"}},"context":{{"library":{{"name":"bench","version":"1.0.0"}}}},"timestamp":"2026-11-21T08:01:00.120Z"}}"#,
            number % 1_000
        )
        .unwrap();
    }
    body += r#"],"sentAt":"2026-11-21T08:01:00.480Z"}"#;
    format!(
        "POST /v1/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Authorization: Basic {}\r\nContent-Length: {}\r\n\r\n{body}",
        STANDARD.encode(format!("{WRITE_KEY}:")),
        body.len()
    )
    .into_bytes()
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads a whole answer, which must be a 200. Returns its body.
pub async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> String {
    buffer.clear();
    loop {
        assert!(stream.read_buf(buffer).await.unwrap() > 0, "the server closed the connection");
        let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..at]).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        if buffer.len() >= at + 4 + content_length(&format!("{head}\r\n")) {
            return String::from_utf8_lossy(&buffer[at + 4..]).into_owned();
        }
    }
}
