use testkit::tls::Authority;
use tokio::net::TcpListener;
use webhook_delivery::is_public;

use super::*;

/// Starts a server and returns its URL. Its certificate is for `host`, from January of one year to January of
/// another.
async fn server(authority: &Authority, host: &str, years: (i32, i32)) -> Url {
    let (listener, acceptor) = (listen().await, authority.issue(host, years).acceptor(&[]));
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    format!("https://localhost:{port}/hook?token=hunter2").parse().unwrap()
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn a_good_certificate_is_enough() {
    let authority = Authority::default();
    let url = server(&authority, "localhost", (2020, 2120)).await;
    reach(&url, ANY, authority.roots()).await.unwrap();
}

#[tokio::test]
async fn a_bad_certificate_is_reported_in_plain_words() {
    let authority = Authority::default();
    for (host, years, expected) in [
        ("localhost", (2020, 2021), "the certificate of localhost expired on 2021-01-01"),
        ("localhost", (2120, 2121), "the certificate of localhost is not valid before 2120-01-01"),
        ("shop.example", (2020, 2120), "the certificate of localhost is for another host (shop.example)"),
    ] {
        let url = server(&authority, host, years).await;
        let error = reach(&url, ANY, authority.roots()).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(!error.advice().is_empty() && !format!("{error:?}").contains("hunter2"));
    }
    let url = server(&authority, "localhost", (2020, 2120)).await;
    let error = reach(&url, ANY, Authority::default().roots()).await.unwrap_err();
    assert!(error.to_string().contains("is not signed by a trusted authority"), "{error}");
    assert!(error.advice().contains("of a public authority"));
}

#[tokio::test]
async fn each_failing_step_has_its_own_error() {
    let listener = listen().await;
    let open = listener.local_addr().unwrap();
    // Each connection is closed at once, so that a handshake ends.
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let closed = listen().await.local_addr().unwrap();
    for (url, expected) in [
        (format!("http://{closed}/"), format!("{closed} refuses connections")),
        (format!("https://{open}/"), format!("127.0.0.1 does not speak TLS on port {}", open.port())),
        ("http://nowhere.invalid/".to_owned(), "no address found for nowhere.invalid (".to_owned()),
    ] {
        let error = reach(&url.parse().unwrap(), ANY, RootCertStore::empty()).await.unwrap_err();
        assert!(error.to_string().starts_with(&expected), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_forbidden_address_is_not_called() {
    for (url, expected, advice) in [
        ("http://localhost:9/", "localhost may not be called: ", "--allow-private-webhooks"),
        (
            "http://10.0.0.7/",
            "10.0.0.7 may not be called: 10.0.0.7 is not a public address",
            "a public address",
        ),
        (
            "http://169.254.169.254/latest",
            "is a metadata service, which holds credentials",
            "no message may go there",
        ),
        (
            "http://[fd00:ec2::254]/",
            "is a metadata service, which holds credentials",
            "no message may go there",
        ),
    ] {
        let error = reach(&url.parse().unwrap(), is_public, RootCertStore::empty()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{url}: {error}");
        assert!(error.advice().contains(advice), "{url}: {}", error.advice());
    }
}
