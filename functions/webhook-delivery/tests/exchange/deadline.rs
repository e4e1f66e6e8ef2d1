//! The deadline, in real time, because the test is about time. All cases run in parallel.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use delivery::Outcome;
use http::HeaderMap;
use reqwest::{
    Url,
    dns::{Name, Resolve, Resolving},
};
use rustls::RootCertStore;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};
use webhook_delivery::{DEADLINE, Failure};

use crate::{
    receiver::{Receiver, Requests, hold, read_request},
    setup::{Names, post, private, rejected, retry, with},
};

/// How much later than the deadline a call may end: later than a timer of that length, which a loaded machine
/// delays too.
const SLACK: Duration = Duration::from_millis(100);

/// DNS that never answers.
struct Silent;

impl Resolve for Silent {
    fn resolve(&self, _: Name) -> Resolving {
        Box::pin(std::future::pending())
    }
}

/// Returns a receiver that sends `head`, then `rest` one byte at a time, over and over.
async fn trickling(head: &'static str, rest: &'static str, pause: u64) -> Receiver {
    Receiver::start(move |mut stream: TcpStream, requests: Requests| async move {
        read_request(&mut stream, &requests).await;
        let _ = stream.write_all(head.as_bytes()).await;
        for byte in rest.bytes().cycle() {
            sleep(Duration::from_millis(pause)).await;
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// Returns a listener that accepts nothing and whose queue of connections is full.
async fn full(address: &str) -> (SocketAddr, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    tokio::spawn(async move {
        sleep(2 * DEADLINE).await;
        drop(listener);
    });
    (address, waiting)
}

async fn check(case: &str, post: impl Future<Output = Outcome>, earliest: Duration, expected: Outcome) {
    let start = Instant::now();
    let timed = async { (post.await, start.elapsed()) };
    let timer = async {
        sleep(DEADLINE).await;
        start.elapsed()
    };
    let ((outcome, took), timer) = tokio::join!(timed, timer);
    assert_eq!(outcome, expected, "{case}");
    assert!(took >= earliest && took <= timer + SLACK, "{case} took {took:?}, a timer {timer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_takes_longer_than_the_deadline() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let fast = trickling(chunked, "1\r\nx\r\n", 17).await;
    let tenth = trickling("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", "x", 100).await;
    let second = trickling("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", "x", 1000).await;
    let head = trickling("HTTP/1.1 200 OK\r\n", "X-A: b\r\n", 100).await;
    let early_hints = trickling("", "HTTP/1.1 103 Hints\r\n\r\n", 20).await;
    let refusal = trickling("HTTP/1.1 400 Bad\r\nContent-Length: 9999\r\n\r\n", "x", 100).await;
    let busy =
        trickling("HTTP/1.1 503 Busy\r\nRetry-After: 9\r\nContent-Length: 9999\r\n\r\n", "x", 100).await;
    let silent = Receiver::start(|stream: TcpStream, _: Requests| hold(stream)).await;
    let deaf = Receiver::start(async |stream: TcpStream, _: Requests| {
        sleep(2 * DEADLINE).await;
        drop(stream);
    })
    .await;
    let good = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let (_, _waiting_too) = full(&format!("127.0.0.9:{}", good.address.port())).await;
    let (full, _waiting) = full("127.0.0.1:0").await;

    let exchange = private();
    let unresolved = with(true, Arc::new(Silent), RootCertStore::empty());
    let half_dead = with(true, Names::answering(&[&["127.0.0.9", "127.0.0.1"]]), RootCertStore::empty());
    let large = Bytes::from(vec![b'x'; 64 * 1024 * 1024]);
    let (silent_tls, full_url): (Url, Url) =
        (silent.named("https", "127.0.0.1"), format!("http://{full}/").parse().unwrap());
    let (fast, tenth, second, head) = (fast.url(), tenth.url(), second.url(), head.url());
    let (early_hints, refusal, busy, silent, deaf) =
        (early_hints.url(), refusal.url(), busy.url(), silent.url(), deaf.url());
    let good = good.named("http", "receiver.test");
    let nowhere: Url = "http://receiver.test/".parse().unwrap();

    let late = || retry(Failure::Timeout);
    // Connecting has a second less than the whole.
    let (connect, all) = (DEADLINE - Duration::from_secs(1), DEADLINE);
    let unread = async { exchange.post(&deaf, HeaderMap::new(), large).await.outcome };
    tokio::join!(
        check("a chunk every 100 ms", post(&exchange, &fast), all, late()),
        check("a byte every 100 ms", post(&exchange, &tenth), all, late()),
        check("a byte a second", post(&exchange, &second), all, late()),
        check("an endless head", post(&exchange, &head), all, late()),
        check("endless interim answers", post(&exchange, &early_hints), all, late()),
        check("no answer", post(&exchange, &silent), all, late()),
        check("a request that is not read", unread, all, late()),
        check("no TLS handshake", post(&exchange, &silent_tls), connect, late()),
        check("no connection", post(&exchange, &full_url), connect, late()),
        // The dead address gets its share of the time for connecting, the working one the rest.
        check("a dead address first", post(&half_dead, &good), connect / 2, Outcome::Delivered),
        check("no DNS", post(&unresolved, &nowhere), connect, late()),
        check("a refusal", post(&exchange, &refusal), all, rejected(Failure::Status(400))),
        check(
            "a wish to wait",
            post(&exchange, &busy),
            all,
            Outcome::Retry { failure: Failure::Status(503).into(), after: Some(Duration::from_secs(9)) },
        ),
    );
}
