//! Connects to a server step by step, up to TLS, so that each failure has a name. It sends no request.

mod certificate;

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use platform::http;
use reqwest::Url;
use rustls::{CertificateError, RootCertStore, pki_types::ServerName};
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use self::certificate::{advice, in_words};
use super::DEADLINE;

/// The time limit for one of several addresses.
const ONE_ADDRESS: Duration = Duration::from_secs(2);

/// Tells which addresses may be called.
pub type Allowed = fn(IpAddr) -> bool;

/// Every address.
pub const ANY: Allowed = |_| true;

/// Why a server cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// DNS does not know the host, or does not answer.
    #[error("no address found for {host} ({cause})")]
    Name { host: String, cause: String },
    /// None of its addresses may be called.
    #[error("{host} may not be called: {address} {what}")]
    NotAllowed { host: String, address: IpAddr, what: &'static str },
    /// Nothing listens.
    #[error("{address} refuses connections")]
    Refused { address: SocketAddr },
    /// There is no route, or no answer.
    #[error("no connection to {address}: {cause}")]
    Connect { address: SocketAddr, cause: io::Error },
    /// Its certificate is not trusted.
    #[error("the certificate of {host} {}", in_words(cause))]
    Certificate { host: String, cause: CertificateError },
    /// It does not speak TLS, or only an old version.
    #[error("{host} does not speak TLS on port {port} ({cause})")]
    Tls { host: String, port: u16, cause: String },
    /// It took too long.
    #[error("{host} did not answer within {} s: {step}", DEADLINE.as_secs())]
    Slow { host: String, step: &'static str },
}

impl Unreachable {
    /// Returns the fix.
    pub fn advice(&self) -> String {
        match self {
            Self::Name { .. } => "check the spelling, and this machine's DNS".to_owned(),
            Self::NotAllowed { what, .. } if *what == METADATA => {
                "no message may go there; use another address".to_owned()
            }
            Self::NotAllowed { .. } => {
                "use a public address; if this address is intended, use --allow-private-webhooks".to_owned()
            }
            Self::Refused { .. } => "start the server there, or correct the port".to_owned(),
            Self::Connect { .. } | Self::Slow { .. } => {
                "check the network and its firewall; Segue connects directly, without a proxy".to_owned()
            }
            Self::Certificate { cause, .. } => advice(cause).to_owned(),
            Self::Tls { .. } => {
                "check the port, and whether the URL begins with http:// or https://".to_owned()
            }
        }
    }
}

/// The reason why a metadata service may not be called.
const METADATA: &str = "is a metadata service, which holds credentials";

fn describe(address: IpAddr) -> &'static str {
    let metadata = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"];
    let is = |text: &&str| text.parse() == Ok(address);
    match address {
        _ if metadata.iter().any(is) => METADATA,
        address if address.is_loopback() => "is this machine",
        _ => "is not a public address",
    }
}

/// Resolves the host, connects, and does the TLS handshake for https. Then it closes the connection.
pub async fn reach(url: &Url, allowed: Allowed, roots: RootCertStore) -> Result<(), Unreachable> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    let until = Instant::now() + DEADLINE;
    let slow = |step| Unreachable::Slow { host: host.clone(), step };
    let found = timeout_at(until, lookup_host((host.as_str(), port))).await;
    let found = found.map_err(|_| slow("DNS does not answer"))?;
    let unknown = |cause: String| Unreachable::Name { host: host.clone(), cause };
    let addresses: Vec<SocketAddr> = found.map_err(|error| unknown(error.to_string()))?.collect();
    let first = addresses.first().ok_or_else(|| unknown("DNS has none".to_owned()))?.ip();
    let addresses: Vec<_> = addresses.into_iter().filter(|address| allowed(address.ip())).collect();
    if addresses.is_empty() {
        return Err(Unreachable::NotAllowed { host, address: first, what: describe(first) });
    }
    let stream = timeout_at(until, connect(&addresses)).await.map_err(|_| slow("no connection"))??;
    if url.scheme() == "http" {
        return Ok(());
    }
    let tls = |cause: String| Unreachable::Tls { host: host.clone(), port, cause };
    let config = http::tls(roots).map_err(|error| tls(error.to_string()))?;
    let name = ServerName::try_from(host.clone()).map_err(|error| tls(error.to_string()))?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout_at(until, handshake).await {
        Err(_) => Err(slow("it accepts connections, but starts no TLS")),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(cause)) => {
                Err(Unreachable::Certificate { host, cause: cause.clone() })
            }
            _ => Err(tls(error.to_string())),
        },
    }
}

/// Connects to the first address that accepts a connection.
async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, Unreachable> {
    let mut failed = None;
    for address in addresses {
        let error = match timeout(ONE_ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::Error::new(ErrorKind::TimedOut, "it does not answer"),
        };
        failed = Some(match error.kind() {
            ErrorKind::ConnectionRefused => Unreachable::Refused { address: *address },
            _ => Unreachable::Connect { address: *address, cause: error },
        });
    }
    Err(failed.unwrap_or(Unreachable::Slow { host: String::new(), step: "it has no address" }))
}

#[cfg(test)]
mod tests;
