//! A receiver with TLS.

use std::{future::poll_fn, time::Duration};

use bytes::Bytes;
use testkit::tls::Identity;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::receiver::{Receiver, Requests, read_request};

/// The host name in the receivers' certificates.
pub const HOST: &str = "receiver.test";

/// Returns a receiver that answers 200 in the first of the `protocols` that the client supports, by default
/// HTTP/1.1. Records an HTTP/2 request as its version, method and signature.
pub async fn receiver(identity: &Identity, protocols: &[&str]) -> Receiver {
    let acceptor = identity.acceptor(protocols);
    Receiver::start(move |stream: TcpStream, requests: Requests| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                serve_http2(stream, requests).await;
                return;
            }
            while read_request(&mut stream, &requests).await {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            }
        }
    })
    .await
}

async fn serve_http2(stream: tokio_rustls::server::TlsStream<TcpStream>, requests: Requests) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let signature = request.headers()["x-signature"].to_str().unwrap();
        requests.push(format!("{:?} {} {signature}", request.version(), request.method()));
        if request.uri().path() == "/freeze" {
            respond.send_response(http::Response::new(()), true).unwrap();
            // The answer is sent. From then on the connection is open and silent.
            let _ = timeout(Duration::from_millis(200), connection.accept()).await;
            sleep(Duration::from_secs(60)).await;
        }
        let floods = request.uri().path() == "/flood";
        let body = respond.send_response(http::Response::new(()), !floods).unwrap();
        if floods {
            tokio::spawn(flood(body, requests.clone()));
        }
    }
}

/// Sends as much as the other side allows, and records how much that is.
async fn flood(mut body: h2::SendStream<Bytes>, requests: Requests) {
    body.reserve_capacity(16 * 1024 * 1024);
    while let Some(Ok(capacity)) = poll_fn(|context| body.poll_capacity(context)).await {
        requests.push(capacity.to_string());
        body.send_data(Bytes::from(vec![b'x'; capacity]), false).unwrap();
    }
}
