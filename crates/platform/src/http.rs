//! The one TLS configuration and the outgoing HTTP client.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring};

/// TLS with the ring provider and the public trust roots compiled in. Reading the platform's certificates
/// would cost 5 ms of CPU for each client at INIT, and aws-lc-rs 33 ms at the first handshake.
///
/// # Errors
/// [`rustls::Error`] when the provider lacks the default protocol versions.
pub fn tls() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
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

/// A client that never follows a redirect, asks no proxy, checks certificates and keeps connections alive.
/// Each call sets its own deadline.
///
/// # Errors
/// [`HttpError`] when TLS could not be set up.
pub fn client() -> Result<reqwest::Client, HttpError> {
    #[allow(clippy::disallowed_methods, reason = "this is the one place that builds a client")]
    let builder = reqwest::Client::builder();
    Ok(builder
        .tls_backend_preconfigured(tls()?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .build()?)
}
