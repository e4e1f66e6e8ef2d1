//! The one TLS configuration and the outgoing HTTP client.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, ClientBuilder, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// A connection over which nothing comes for this long while a request is open is asked for a sign of life,
const PING_AFTER: Duration = Duration::from_secs(2);

/// and given up when there is none for this long. HTTP/2 sends every request over one connection: without
/// this, one that died while Lambda was frozen would be used again and again.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// The most headers of an answer over HTTP/1: ten times as many as the library takes by itself. An answer with more is
/// lost, however well it says that the message was taken.
pub const MAX_ANSWER_HEADERS: usize = 1_000;

/// The same over HTTP/2, which counts bytes: those of 1,000 headers of a usual size.
const MAX_ANSWER_HEADER_BYTES: u32 = 256 * 1024;

/// The public trust roots, compiled in: reading the platform's certificates would cost 5 ms of CPU for each
/// client at INIT.
pub fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() }
}

/// TLS with the ring provider: aws-lc-rs would cost 33 ms at the first handshake.
///
/// # Errors
/// When the provider has no safe protocol version.
pub fn tls(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // reqwest sets this in the configurations that it makes itself, and leaves one that it is given alone.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Why the HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The TLS configuration was refused.
    #[error("the TLS configuration was refused")]
    Tls(#[from] rustls::Error),
    /// The client was refused.
    #[error("the HTTP client could not be built")]
    Client(#[from] reqwest::Error),
}

/// What every client begins with: it never follows a redirect, asks no proxy, checks certificates against
/// `roots`, speaks HTTP/2 where the server does, and keeps connections alive. Each call sets its own deadline.
///
/// # Errors
/// [`HttpError`] when TLS could not be set up.
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

/// A client as [`builder`] makes it, with the public trust roots.
///
/// # Errors
/// [`HttpError`] when TLS could not be set up.
pub fn client() -> Result<Client, HttpError> {
    Ok(builder(public_roots())?.build()?)
}
