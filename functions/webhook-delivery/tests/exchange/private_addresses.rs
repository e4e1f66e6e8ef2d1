//! Nothing is sent to an address that is not public, in any spelling and by any name.

use delivery::Outcome;
use reqwest::Url;
use rustls::RootCertStore;
use tokio::net::TcpStream;
use webhook_delivery::Failure;

use crate::{
    receiver::{Receiver, Requests, hold},
    setup::{Names, post, private, public, rejected, retry, with},
    table::NOT_PUBLIC,
};

/// Spellings of addresses, most of them of this machine.
const HOSTS: [&str; 36] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0x7f.0.0.1",
    "0X7F.0X0.0x0.0x1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "00000177.1",
    "127.0.0.1.",
    "0",
    "0.0.0.0",
    "0x0",
    "127.255.255.254",
    "１２７.0.0.1",
    "127。0。0。1",
    "%31%32%37.0.0.1",
    "①②⑦.0.0.1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:0001]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
    "user:password@127.0.0.1",
    "169.254.169.254",
    "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]",
    "168.63.129.16",
];

async fn receiver() -> Receiver {
    Receiver::start(|stream: TcpStream, _: Requests| hold(stream)).await
}

#[tokio::test]
async fn no_spelling_of_a_private_address_is_called() {
    let (receiver, exchange) = (receiver().await, public());
    for host in HOSTS {
        for scheme in ["http", "https"] {
            let outcome = post(&exchange, &receiver.named(scheme, host)).await;
            assert_eq!(outcome, rejected(Failure::NoPublicAddress), "{scheme}://{host}");
        }
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn names_of_this_machine_are_not_called() {
    let (receiver, exchange) = (receiver().await, public());
    for host in ["localhost", "LOCALHOST", "loc%61lhost", "ｌｏｃａｌｈｏｓｔ"] {
        let outcome = post(&exchange, &receiver.named("http", host)).await;
        assert_eq!(outcome, retry(Failure::NoPublicAddress), "{host}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn no_special_network_is_called_by_address_or_by_name() {
    let exchange = public();
    for (name, first, last) in NOT_PUBLIC {
        for address in [first, last] {
            let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
            let url: Url = format!("http://{host}:9/").parse().unwrap();
            assert_eq!(post(&exchange, &url).await, rejected(Failure::NoPublicAddress), "{url} is {name}");

            let exchange = with(false, Names::answering(&[&[address]]), RootCertStore::empty());
            let url: Url = "http://receiver.test:9/".parse().unwrap();
            assert_eq!(post(&exchange, &url).await, retry(Failure::NoPublicAddress), "{address} is {name}");
        }
    }
}

#[tokio::test]
async fn a_name_is_blocked_if_all_of_its_addresses_are_private() {
    let receiver = receiver().await;
    let names = Names::answering(&[&["127.0.0.1", "10.0.0.1", "::1", "::ffff:127.0.0.1", "fd00:ec2::254"]]);
    let exchange = with(false, names, RootCertStore::empty());
    assert_eq!(
        post(&exchange, &receiver.named("http", "receiver.test")).await,
        retry(Failure::NoPublicAddress)
    );
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_that_turns_private_later_is_blocked_then() {
    let receiver = receiver().await;
    let names = Names::failing_first(&[&["127.0.0.1"]]);
    let exchange = with(false, names, RootCertStore::empty());
    let url = receiver.named("http", "receiver.test");
    assert_eq!(post(&exchange, &url).await, retry(Failure::Resolve));
    assert_eq!(post(&exchange, &url).await, retry(Failure::NoPublicAddress));
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_called() {
    let first = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let second = Receiver::at(&format!("127.0.0.2:{}", first.address.port()), |stream, _| hold(stream)).await;
    let names = Names::answering(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let exchange = with(true, names.clone(), RootCertStore::empty());
    let outcome = post(&exchange, &first.named("http", "receiver.test")).await;
    assert_eq!(outcome, Outcome::Delivered);
    assert_eq!((first.connections(), second.connections(), names.lookups()), (1, 0, 1));
}

#[tokio::test]
async fn private_addresses_are_called_when_that_is_allowed() {
    let receiver = Receiver::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let exchange = private();
    for host in ["127.0.0.1", "0x7f.1", "localhost"] {
        assert_eq!(post(&exchange, &receiver.named("http", host)).await, Outcome::Delivered, "{host}");
    }
}

#[tokio::test]
async fn only_http_and_https_are_spoken() {
    for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "data:,x", "unix:/run/x", "ws://127.0.0.1/"] {
        let outcome = post(&private(), &url.parse().unwrap()).await;
        assert_eq!(outcome, rejected(Failure::Scheme), "{url}");
    }
}
