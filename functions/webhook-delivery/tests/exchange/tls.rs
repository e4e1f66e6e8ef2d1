//! A receiver with TLS, and certificates of every kind.

use std::{future::poll_fn, sync::Arc, time::Duration};

use bytes::Bytes;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::receiver::{Receiver, Requests, read_request};

/// The name that the receivers' certificates are for.
pub const HOST: &str = "receiver.test";

/// Who signs the receivers' certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a server shows, with its key.
pub struct Identity(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Trust in nobody else.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A certificate for `host`, valid from January of one year to January of another.
    pub fn issue(&self, host: &str, years: (i32, i32)) -> Identity {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity(vec![certificate.der().clone()], key.into())
    }

    /// A good certificate.
    pub fn good(&self) -> Identity {
        self.issue(HOST, (2020, 2120))
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone_key())
    }
}

/// A certificate for the right host, signed by itself.
pub fn self_signed() -> Identity {
    let certified = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    Identity(vec![certified.cert.der().clone()], certified.signing_key.into())
}

/// A receiver that answers 200 in whichever of the `protocols` the client agrees to, HTTP/1.1 by default.
/// An HTTP/2 request is noted as its version, method and signature.
pub async fn receiver(identity: Identity, protocols: &[&str]) -> Receiver {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.0, identity.1)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
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
            // The answer leaves, and from then on the connection is open and mute.
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

/// Sends as much as the other side lets through, and notes how much that is.
async fn flood(mut body: h2::SendStream<Bytes>, requests: Requests) {
    body.reserve_capacity(16 * 1024 * 1024);
    while let Some(Ok(capacity)) = poll_fn(|context| body.poll_capacity(context)).await {
        requests.push(capacity.to_string());
        body.send_data(Bytes::from(vec![b'x'; capacity]), false).unwrap();
    }
}
