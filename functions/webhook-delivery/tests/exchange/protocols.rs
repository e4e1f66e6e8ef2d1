//! HTTP/2 where the receiver supports it, otherwise HTTP/1.1.

use std::time::{Duration, Instant};

use delivery::Outcome;
use testkit::tls::Authority;
use webhook_delivery::DEADLINE;

use crate::{
    setup::{named, post},
    tls::{HOST, receiver},
};

#[tokio::test]
async fn http_2_is_used_over_one_connection_with_a_receiver_that_offers_it() {
    let authority = Authority::default();
    for protocols in [&["h2", "http/1.1"][..], &["http/1.1", "h2"], &["h2"]] {
        let receiver = receiver(&authority.good(HOST), protocols).await;
        let (exchange, url) = (named(authority.roots()), receiver.named("https", HOST));
        for _ in 0..3 {
            assert_eq!(post(&exchange, &url).await, Outcome::Delivered);
        }
        // The first protocol in the server's list that the client offered is used.
        if protocols[0] == "h2" {
            assert_eq!(receiver.requests.all(), ["HTTP/2.0 POST 0123abcd"; 3]);
        }
        assert_eq!(receiver.connections(), 1);
    }
}

#[tokio::test]
async fn http_1_is_used_with_a_receiver_that_offers_nothing_else() {
    let authority = Authority::default();
    for protocols in [&["http/1.1"][..], &[]] {
        let receiver = receiver(&authority.good(HOST), protocols).await;
        let (exchange, url) = (named(authority.roots()), receiver.named("https", HOST));
        for _ in 0..3 {
            assert_eq!(post(&exchange, &url).await, Outcome::Delivered);
        }
        for request in receiver.requests.all() {
            assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");
            assert!(request.contains("\r\nX-Signature: 0123abcd\r\n"), "{request}");
        }
        assert_eq!(receiver.connections(), 1);
    }
}

#[tokio::test]
async fn an_endless_answer_over_http_2_is_cut_short() {
    let authority = Authority::default();
    let receiver = receiver(&authority.good(HOST), &["h2"]).await;
    let mut url = receiver.named("https", HOST);
    url.set_path("/flood");
    let (exchange, start) = (named(authority.roots()), Instant::now());
    assert_eq!(post(&exchange, &url).await, Outcome::Delivered);
    assert!(start.elapsed() < DEADLINE / 2, "{:?}", start.elapsed());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let sent: usize = receiver.requests.all()[1..].iter().map(|bytes| bytes.parse::<usize>().unwrap()).sum();
    assert!((16 * 1024..=256 * 1024).contains(&sent), "{sent} bytes");
    // The stream has ended, not the connection.
    url.set_path("/hook");
    assert_eq!(post(&exchange, &url).await, Outcome::Delivered);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_connection_without_answers_is_given_up() {
    let authority = Authority::default();
    let receiver = receiver(&authority.good(HOST), &["h2"]).await;
    let (exchange, url) = (named(authority.roots()), receiver.named("https", HOST));
    let freezing = url.join("/freeze").unwrap();
    assert_eq!(post(&exchange, &freezing).await, Outcome::Delivered);
    tokio::time::sleep(Duration::from_millis(300)).await;

    let start = Instant::now();
    assert!(matches!(post(&exchange, &url).await, Outcome::Retry { .. }));
    assert!(start.elapsed() < DEADLINE, "{:?}", start.elapsed());
    assert_eq!(receiver.connections(), 1);

    assert_eq!(post(&exchange, &url).await, Outcome::Delivered);
    assert_eq!(receiver.connections(), 2);
}
