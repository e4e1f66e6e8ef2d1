//! TLS for connections to PostgreSQL.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ring::digest::{self, SHA256, SHA384, SHA512};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring as ring_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::{TlsConnector, client};

/// How the certificate of the server is checked.
#[derive(Clone, Debug)]
pub enum Check {
    /// It leads to one of these roots, and is for the server's name.
    Roots(RootCertStore),
    /// It has this SHA-256.
    Fingerprint([u8; 32]),
    /// It is not checked: the connection is encrypted, but anybody could be the server.
    None,
}

/// Makes TLS connections to PostgreSQL.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// Returns the TLS of connections whose certificates are checked so.
    ///
    /// # Errors
    /// When ring supports no safe protocol version.
    pub fn new(check: &Check) -> Result<Self, rustls::Error> {
        let provider = Arc::new(ring_provider::default_provider());
        let builder =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let pinned = |fingerprint| Arc::new(Pinned { fingerprint, provider });
        let mut config = match check {
            Check::Roots(roots) => builder.with_root_certificates(roots.clone()).with_no_client_auth(),
            Check::Fingerprint(fingerprint) => {
                let verifier = pinned(Some(*fingerprint));
                builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
            }
            Check::None => {
                builder.dangerous().with_custom_certificate_verifier(pinned(None)).with_no_client_auth()
            }
        };
        // PostgreSQL 17 refuses another protocol.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

/// Checks a certificate by its fingerprint, or not at all. The server must hold the key of its certificate in any case.
#[derive(Debug)]
struct Pinned {
    fingerprint: Option<[u8; 32]>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.fingerprint {
            Some(expected) if digest::digest(&SHA256, certificate).as_ref() != expected => {
                Err(rustls::CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Tls {
    type Stream = Encrypted<S>;
    type TlsConnect = Handshake;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Self::Error> {
        Ok(Handshake { config: self.0.clone(), server: ServerName::try_from(host)?.to_owned() })
    }
}

/// A handshake with one server.
pub struct Handshake {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        let handshake = TlsConnector::from(self.config).connect(self.server, stream);
        Box::pin(async move { handshake.await.map(Encrypted) })
    }
}

/// An encrypted connection.
pub struct Encrypted<S>(client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    /// Binds the password's proof to the certificate of the server (RFC 5929, tls-server-end-point). Nobody between the
    /// two can then use it.
    fn channel_binding(&self) -> ChannelBinding {
        let certificate = self.0.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        certificate
            .and_then(|certificate| certificate_digest(certificate))
            .map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Returns the digest of a certificate by the hash function of its signature, which SHA-256 replaces if it is weak
/// (RFC 5929, section 4.1). Returns `None` for signatures without a hash function of their own, such as Ed25519.
fn certificate_digest(certificate: &[u8]) -> Option<Vec<u8>> {
    // The last bytes of the object identifiers in RFC 4055 and RFC 5758. In each family 1.2.840.113549.1.1 and
    // 1.2.840.10045.4.3 these are the algorithms that certificates of servers have.
    const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    const ECDSA: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    const ECDSA_SHA1: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
    let (outer, _) = der(certificate)?;
    let (_, rest) = der(outer)?;
    let (algorithm, _) = der(rest)?;
    let (identifier, _) = der(algorithm)?;
    let hash = match identifier {
        [family @ .., last] if *family == RSA => match last {
            4 | 5 | 11 => &SHA256,
            12 => &SHA384,
            13 => &SHA512,
            _ => return None,
        },
        [family @ .., last] if *family == ECDSA => match last {
            2 => &SHA256,
            3 => &SHA384,
            4 => &SHA512,
            _ => return None,
        },
        identifier if *identifier == ECDSA_SHA1 => &SHA256,
        _ => return None,
    };
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

/// Splits DER after its first item. Returns the item's content and what follows it.
fn der(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match bytes.get(1..)? {
        [short, rest @ ..] if *short < 0x80 => (usize::from(*short), rest),
        [long, rest @ ..] => {
            let (length, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        [] => return None,
    };
    rest.split_at_checked(length)
}
