//! Connections: refused, broken, kept, and closed by the other side.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use delivery::Outcome;
use http::HeaderMap;
use reqwest::Url;
use rustls::RootCertStore;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Barrier,
};
use webhook_delivery::Failure;

use crate::{
    receiver::{Receiver, Requests, read_request},
    setup::{Names, named, post, private, retry, with},
};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

#[tokio::test]
async fn a_name_that_is_not_found_is_retried() {
    let url: Url = "http://receiver.test/".parse().unwrap();
    for names in [Names::failing_first(&[&[]]), Names::answering(&[&[]])] {
        let exchange = with(false, names, RootCertStore::empty());
        assert_eq!(post(&exchange, &url).await, retry(Failure::Resolve));
    }
}

#[tokio::test]
async fn a_closed_port_is_retried() {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url: Url = format!("http://{address}/").parse().unwrap();
    assert_eq!(post(&private(), &url).await, retry(Failure::Connect));
    let url: Url = format!("https://{address}/").parse().unwrap();
    assert_eq!(post(&private(), &url).await, retry(Failure::Connect));
}

#[tokio::test]
async fn a_dead_address_does_not_hide_a_working_one() {
    let receiver = Receiver::answering(OK).await;
    let names = Names::answering(&[&["127.0.0.9", "127.0.0.1"]]);
    let exchange = with(true, names, RootCertStore::empty());
    let outcome = post(&exchange, &receiver.named("http", "receiver.test")).await;
    assert_eq!(outcome, Outcome::Delivered);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_answer_is_retried() {
    // With a linger time of zero, closing a connection resets it.
    let at_once =
        Receiver::start(async |stream: TcpStream, _: Requests| stream.set_zero_linger().unwrap()).await;
    let after_the_request = Receiver::start(async |mut stream: TcpStream, requests: Requests| {
        read_request(&mut stream, &requests).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let within_the_answer = Receiver::start(async |mut stream: TcpStream, requests: Requests| {
        read_request(&mut stream, &requests).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    for receiver in [at_once, after_the_request, within_the_answer] {
        assert_eq!(post(&private(), &receiver.url()).await, retry(Failure::Transport));
        // The queue sends it again and counts the attempts.
        assert_eq!(receiver.connections(), 1);
    }
}

#[tokio::test]
async fn one_connection_carries_many_posts() {
    for body in [0, 2, 16 * 1024] {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {body}\r\n\r\n{}", "x".repeat(body));
        let receiver = Receiver::answering(answer).await;
        let exchange = private();
        for _ in 0..5 {
            assert_eq!(post(&exchange, &receiver.url()).await, Outcome::Delivered);
        }
        assert_eq!((receiver.connections(), receiver.requests.all().len()), (1, 5), "{body} bytes");
    }
}

#[tokio::test]
async fn a_refusal_does_not_cost_the_connection() {
    let receiver = Receiver::answering("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy").await;
    let exchange = private();
    for _ in 0..3 {
        assert_eq!(post(&exchange, &receiver.url()).await, retry(Failure::Status(503)));
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_the_receiver_closed_meanwhile_is_not_used_again() {
    let receiver = Receiver::answering_once(OK.as_bytes()).await;
    let exchange = private();
    for post_number in 1..=5 {
        assert_eq!(post(&exchange, &receiver.url()).await, Outcome::Delivered);
        // Time for the close to arrive; Lambda may have been frozen in between.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(receiver.connections(), post_number);
    }
}

#[tokio::test]
async fn a_connection_that_was_not_used_for_four_seconds_is_not_used_again() {
    let receiver = Receiver::answering(OK).await;
    let exchange = private();
    for (pause, connections) in [(0, 1), (500, 1), (4300, 2)] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        assert_eq!(post(&exchange, &receiver.url()).await, Outcome::Delivered);
        assert_eq!(receiver.connections(), connections, "after {pause} ms");
    }
}

#[tokio::test]
async fn no_more_than_ten_unused_connections_are_kept() {
    // Nobody is answered before twenty have arrived.
    let all_there = Arc::new(Barrier::new(20));
    let receiver = Receiver::start(move |mut stream: TcpStream, requests: Requests| {
        let all_there = all_there.clone();
        async move {
            while read_request(&mut stream, &requests).await {
                all_there.wait().await;
                stream.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let exchange = private();
    for connections in [20, 30] {
        let posts: Vec<_> = (0..20)
            .map(|_| {
                let (exchange, url) = (exchange.clone(), receiver.url());
                tokio::spawn(async move { post(&exchange, &url).await })
            })
            .collect();
        for post in posts {
            assert_eq!(post.await.unwrap(), Outcome::Delivered);
        }
        assert_eq!(receiver.connections(), connections);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_body_of_half_a_megabyte_arrives_whole() {
    let receiver = Receiver::answering(OK).await;
    let body = "x".repeat(512 * 1024);
    let exchange = named(RootCertStore::empty());
    let outcome = exchange.post(&receiver.url(), HeaderMap::new(), Bytes::from(body.clone())).await.outcome;
    assert_eq!(outcome, Outcome::Delivered);
    assert!(receiver.requests.all()[0].ends_with(&format!("Content-Length: 524288\r\n\r\n{body}")));
}
