//! The outcome of each answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use delivery::Outcome;
use rustls::RootCertStore;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use webhook_delivery::{DEADLINE, Failure};

use crate::{
    receiver::{Receiver, Requests, read_request},
    setup::{named, post, private, rejected, retry},
};

#[tokio::test]
async fn the_request_arrives_byte_for_byte_with_its_headers() {
    let receiver = Receiver::answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(post(&private(), &receiver.url()).await, Outcome::Delivered);
    let address = receiver.address;
    assert_eq!(
        receiver.requests.all(),
        [format!(
            "POST /hook HTTP/1.1\r\nUser-Agent: Segment.io/1.0\r\nContent-Type: application/json\r\n\
             X-Signature: 0123abcd\r\nAccept: */*\r\nHost: {address}\r\nContent-Length: 9\r\n\r\n{{\"a\":\"b\"}}"
        )]
    );
}

#[tokio::test]
async fn the_status_decides() {
    for (answer, expected) in [
        ("200 OK\r\nContent-Length: 2\r\n\r\nno", Outcome::Delivered),
        ("201 Created\r\nContent-Length: 0\r\n\r\n", Outcome::Delivered),
        ("204 No Content\r\n\r\n", Outcome::Delivered),
        (
            "103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            Outcome::Delivered,
        ),
        ("304 Not Modified\r\n\r\n", rejected(Failure::Status(304))),
        ("400 Bad Request\r\nContent-Length: 3\r\n\r\nbad", rejected(Failure::Status(400))),
        ("410 Gone\r\nContent-Length: 0\r\n\r\n", rejected(Failure::Status(410))),
        ("500 Oh\r\nContent-Length: 0\r\n\r\n", retry(Failure::Status(500))),
        ("503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", retry(Failure::Status(503))),
    ] {
        let receiver = Receiver::answering(format!("HTTP/1.1 {answer}")).await;
        assert_eq!(post(&private(), &receiver.url()).await, expected, "{answer}");
    }
}

#[tokio::test]
async fn an_answer_with_many_headers_counts_and_one_with_too_many_is_reported() {
    for (headers, expected) in [
        (150, Outcome::Delivered),
        (999, Outcome::Delivered),
        (1_001, retry(Failure::Head)),
        (50_000, retry(Failure::Head)),
    ] {
        let further: String = (1..headers).map(|number| format!("X-{number}: y\r\n")).collect();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{further}\r\nok");
        let receiver = Receiver::answering(answer).await;
        assert_eq!(post(&private(), &receiver.url()).await, expected, "{headers}");
    }
}

#[tokio::test]
async fn the_wait_that_a_receiver_asks_for_is_passed_on() {
    for (header, seconds) in [
        ("90", 90),
        ("0", 1),
        ("-5", 1),
        ("Sat, 21 Nov 2026 12:02:00 GMT", 120),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 1),
    ] {
        let answer = format!("HTTP/1.1 429 Slow Down\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n");
        let receiver = Receiver::answering(answer).await;
        let expected = Outcome::Retry {
            failure: Failure::Status(429).into(),
            after: Some(Duration::from_secs(seconds)),
        };
        assert_eq!(post(&named(RootCertStore::empty()), &receiver.url()).await, expected, "{header}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    for status in [301, 302, 303, 307, 308] {
        let location = target.url();
        let answer = format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let receiver = Receiver::answering(answer).await;
        let expected = rejected(Failure::Status(status));
        assert_eq!(post(&private(), &receiver.url()).await, expected);
        assert_eq!(receiver.connections(), 1);
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn an_answer_that_ends_with_the_connection_is_whole() {
    let receiver = Receiver::answering_once(b"HTTP/1.0 200 OK\r\n\r\nthanks").await;
    assert_eq!(post(&private(), &receiver.url()).await, Outcome::Delivered);
}

#[tokio::test]
async fn a_large_answer_is_left_unread_and_the_status_decides() {
    for (status, expected) in [(200, Outcome::Delivered), (404, rejected(Failure::Status(404)))] {
        let body = "x".repeat(100_000);
        let receiver =
            Receiver::answering(format!("HTTP/1.1 {status} X\r\nContent-Length: 100000\r\n\r\n{body}")).await;
        assert_eq!(post(&private(), &receiver.url()).await, expected);
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_short() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let receiver = Receiver::start(move |mut stream: TcpStream, requests: Requests| {
        let counter = counter.clone();
        async move {
            read_request(&mut stream, &requests).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {
                counter.fetch_add(chunk.len(), Ordering::SeqCst);
            }
        }
    })
    .await;
    let start = Instant::now();
    assert_eq!(post(&private(), &receiver.url()).await, Outcome::Delivered);
    assert!(start.elapsed() < DEADLINE / 2, "{:?}", start.elapsed());
    // The sockets' own buffers hold the most that can have left the receiver.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let total = sent.load(Ordering::SeqCst);
    assert!(total < 16 * 1024 * 1024, "{total} bytes");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(sent.load(Ordering::SeqCst), total, "the connection is closed");
}

#[tokio::test]
async fn an_invalid_answer_is_retried() {
    for answer in [
        &b""[..],
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nha",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\0\0\0\0\0\0\0\0\0\0\0\0",
    ] {
        let receiver = Receiver::answering_once(answer).await;
        let outcome = post(&private(), &receiver.url()).await;
        assert_eq!(outcome, retry(Failure::Transport), "{}", String::from_utf8_lossy(answer));
        assert_eq!(receiver.connections(), 1);
    }
}

#[tokio::test]
async fn a_refusal_counts_although_the_rest_of_the_answer_is_missing() {
    for (answer, expected) in [
        (&b"HTTP/1.1 400 Bad\r\nContent-Length: 10\r\n\r\nhalf"[..], rejected(Failure::Status(400))),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\nhalf", retry(Failure::Status(503))),
    ] {
        let receiver = Receiver::answering_once(answer).await;
        assert_eq!(post(&private(), &receiver.url()).await, expected);
    }
}
