//! The TLS configuration and the outgoing HTTP client.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, ClientBuilder, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// The time without traffic, while a request is open, after which a connection is pinged. HTTP/2 sends every
/// request over one connection. Without pings, a connection that died while Lambda was frozen would be used
/// again and again.
const PING_AFTER: Duration = Duration::from_secs(2);

/// The time without an answer to a ping after which a connection is closed.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// The most headers of an answer over HTTP/1, ten times the library's default. An answer with more headers
/// cannot be read, even if it says that the message was taken.
pub const MAX_ANSWER_HEADERS: usize = 1_000;

/// The same limit for HTTP/2, which counts bytes: those of 1,000 headers of usual size.
const MAX_ANSWER_HEADER_BYTES: u32 = 256 * 1024;

/// Returns the public root certificates, which are compiled in. Reading the platform's certificates would
/// cost 5 ms of CPU for each client at INIT.
pub fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }
}

/// Returns a TLS configuration that uses ring: aws-lc-rs would cost 33 ms at the first handshake.
///
/// # Errors
/// When ring supports no safe protocol version.
pub fn tls(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // reqwest sets this in its own configurations, but leaves a given one alone.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The HTTP client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The TLS configuration is not valid.
    #[error("the TLS configuration was refused")]
    Tls(#[from] rustls::Error),
    /// The client is not valid.
    #[error("the HTTP client could not be built")]
    Client(#[from] reqwest::Error),
}

/// Returns a builder with the settings of every client. It never follows a redirect and uses no proxy. It
/// checks certificates against `roots`, uses HTTP/2 where the server supports it, and keeps connections
/// alive. Each call sets its own deadline.
///
/// # Errors
/// [`HttpError`] when TLS cannot be set up.
pub fn builder(roots: RootCertStore) -> Result<ClientBuilder, HttpError> {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that builds a client")]
    let builder = Client::builder();
    Ok(builder
        .tls_backend_preconfigured(tls(roots)?)
        .redirect(Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .http1_max_headers(MAX_ANSWER_HEADERS)
        .http2_max_header_list_size(MAX_ANSWER_HEADER_BYTES)
        .http2_keep_alive_interval(PING_AFTER)
        .http2_keep_alive_timeout(PING_TIMEOUT))
}

/// Returns a client from [`builder`] with the public root certificates.
///
/// # Errors
/// [`HttpError`] when TLS cannot be set up.
pub fn client() -> Result<Client, HttpError> {
    Ok(builder(public_roots())?.build()?)
}
