//! Signed webhooks of logins, each of another user, for programs that must forward each of them. Every program
//! gets the same bytes but for the path.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ring::hmac;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::interval,
};

use crate::{
    load::{self, SIGNING_SECRET},
    since_epoch,
};

/// The start of each user's id. The login's number follows, with this many digits.
const USER: &str = "b1d0c6f4-2f0e-4a7b-9f6d-";
const DIGITS: usize = 12;

/// The longest wait for an answer. A program that takes longer has not accepted the login.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests without their first line, indexed by the logins' numbers.
pub struct Logins(Vec<Vec<u8>>);

/// A login that was sent.
pub struct Sent {
    /// Its number.
    pub number: usize,
    /// When, since the epoch.
    pub at: Duration,
    /// The time until the end of the answer.
    pub took: Duration,
    /// Whether the answer was 200.
    pub accepted: bool,
}

impl Logins {
    /// Signs this many logins as FusionAuth does, and with a plain HMAC.
    pub fn sign(count: usize) -> Arc<Self> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SIGNING_SECRET.as_bytes());
        let mut sample = load::sample_login();
        let mut request = |number: usize| {
            let user = format!("{USER}{number:0DIGITS$}");
            sample["event"]["id"] = format!("00000000-0000-4000-8000-{number:012}").into();
            sample["event"]["linkedObjectId"] = user.clone().into();
            sample["event"]["user"]["id"] = user.into();
            let body = sample.to_string();
            let plain: String =
                hmac::sign(&key, body.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                "Host: 127.0.0.1\r\nContent-Type: application/json\r\nX-FusionAuth-Signature-JWT: {}\r\n\
                 X-Webhook-Signature: {plain}\r\nContent-Length: {}\r\n\r\n{body}",
                load::fusionauth_signature(&key, &body),
                body.len()
            )
            .into_bytes()
        };
        Arc::new(Self((0..count).map(&mut request).collect()))
    }

    /// Sends logins from `first` on over `connections` connections for `time`, or until there are no more. Each
    /// connection sends as soon as it has its answer. A login that is not answered 200 is not sent again.
    pub async fn send(
        self: &Arc<Self>,
        address: SocketAddr,
        path: &str,
        first: usize,
        connections: usize,
        time: Duration,
    ) -> Vec<Sent> {
        let (next, end) = (Arc::new(AtomicUsize::new(first)), Instant::now() + time);
        let mut clients = JoinSet::new();
        for _ in 0..connections {
            let (logins, next) = (self.clone(), next.clone());
            let mut client = Client::new(address, path);
            clients.spawn(async move {
                let mut sent = Vec::new();
                while Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(login) = logins.0.get(number) else { break };
                    let one = client.send(number, login).await;
                    if !one.accepted {
                        // Otherwise a program that refuses all would soon have refused all logins.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    sent.push(one);
                }
                sent
            });
        }
        let mut all = Vec::new();
        while let Some(sent) = clients.join_next().await {
            all.extend(sent.unwrap());
        }
        all
    }

    /// Sends these logins one by one over one connection, `pause` apart.
    pub async fn send_slowly(
        &self,
        address: SocketAddr,
        path: &str,
        numbers: Range<usize>,
        pause: Duration,
    ) -> Vec<Sent> {
        let (mut client, mut turns) = (Client::new(address, path), interval(pause));
        let mut all = Vec::new();
        for number in numbers {
            turns.tick().await;
            all.push(client.send(number, &self.0[number]).await);
        }
        all
    }
}

/// Returns the number of the login in a webhook or in the message that it became.
pub fn number(body: &str) -> Option<usize> {
    let (_, rest) = body.split_once(USER)?;
    rest.get(..DIGITS)?.parse().ok()
}

/// A connection that is opened again after a fault.
struct Client {
    address: SocketAddr,
    line: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    fn new(address: SocketAddr, path: &str) -> Self {
        let line = format!("POST {path} HTTP/1.1\r\n");
        Self { address, line, stream: None, buffer: Vec::new() }
    }

    async fn send(&mut self, number: usize, login: &[u8]) -> Sent {
        let (at, start) = (since_epoch(), Instant::now());
        let status = tokio::time::timeout(PATIENCE, self.status(login)).await.ok().flatten();
        if status.is_none() {
            self.stream = None;
        }
        Sent { number, at, took: start.elapsed(), accepted: status == Some(200) }
    }

    /// Returns the status of the answer, or `None` if the connection failed.
    async fn status(&mut self, login: &[u8]) -> Option<u16> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.address).await.ok()?;
                stream.set_nodelay(true).ok()?;
                none.insert(stream)
            }
        };
        self.buffer.clear();
        self.buffer.extend_from_slice(self.line.as_bytes());
        self.buffer.extend_from_slice(login);
        stream.write_all(&self.buffer).await.ok()?;
        self.buffer.clear();
        loop {
            if stream.read_buf(&mut self.buffer).await.ok()? == 0 {
                return None;
            }
            let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&self.buffer[..at]).to_ascii_lowercase();
            if self.buffer.len() >= at + 4 + crate::http::content_length(&format!("{head}\r\n")) {
                return head.get(9..12)?.parse().ok();
            }
        }
    }
}
