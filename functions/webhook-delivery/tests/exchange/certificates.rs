//! A receiver with an untrusted certificate gets no request.

use delivery::Outcome;
use rustls::RootCertStore;
use testkit::tls::{Authority, self_signed};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use webhook_delivery::Failure;

use crate::{
    receiver::{Receiver, Requests},
    setup::{named, post, private, retry},
    tls::{HOST, receiver},
};

#[tokio::test]
async fn a_good_certificate_is_accepted() {
    let authority = Authority::default();
    let receiver = receiver(&authority.good(HOST), &[]).await;
    let outcome = post(&named(authority.roots()), &receiver.named("https", HOST)).await;
    assert_eq!(outcome, Outcome::Delivered);
}

#[tokio::test]
async fn a_bad_certificate_is_refused_before_anything_is_sent() {
    let authority = Authority::default();
    for (kind, identity) in [
        ("self-signed", self_signed(HOST)),
        ("expired", authority.issue(HOST, (2020, 2021))),
        ("not yet valid", authority.issue(HOST, (2120, 2121))),
        ("for another host", authority.issue("other.test", (2020, 2120))),
        ("for a host below", authority.issue("sub.receiver.test", (2020, 2120))),
        ("for an address", authority.issue("127.0.0.1", (2020, 2120))),
        ("by a stranger of the same name", Authority::default().good(HOST)),
    ] {
        for protocols in [&[][..], &["h2"]] {
            let receiver = receiver(&identity, protocols).await;
            let outcome = post(&named(authority.roots()), &receiver.named("https", HOST)).await;
            assert_eq!(outcome, retry(Failure::Certificate), "{kind}");
            assert_eq!((receiver.connections(), receiver.requests.all().len()), (1, 0), "{kind}");
        }
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_on_private_addresses_too() {
    let receiver = receiver(&self_signed(HOST), &[]).await;
    for host in ["127.0.0.1", "localhost"] {
        let outcome = post(&private(), &receiver.named("https", host)).await;
        assert_eq!(outcome, retry(Failure::Certificate), "{host}");
    }
    assert!(receiver.requests.all().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_is_no_connection() {
    let receiver = Receiver::start(async |mut stream: TcpStream, _: Requests| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    })
    .await;
    let outcome = post(&named(RootCertStore::empty()), &receiver.named("https", HOST)).await;
    assert_eq!(outcome, retry(Failure::Connect));
}
