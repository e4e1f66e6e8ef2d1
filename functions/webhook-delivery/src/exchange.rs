//! One request to a webhook and its answer, under one deadline.

use std::{error::Error, io, sync::Arc, time::Duration};

use bytes::Bytes;
use delivery::Outcome;
use http::{HeaderMap, header::RETRY_AFTER};
use platform::{
    clock::SharedClock,
    http::{HttpError, builder, public_roots},
};
use reqwest::{Client, Response, Url, dns::Resolve};
use rustls::RootCertStore;
use tokio::time::{Instant, timeout_at};

use crate::{
    Failure, address, lane,
    resolver::{NoPublicAddress, PublicOnly, SystemResolver},
};

/// For the whole exchange: DNS, connect, TLS, request, head and body of the answer. Segment's webhooks have the
/// same 5 seconds.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// The part of it that connecting may take. The client shares it out among the addresses of a host, so that one
/// dead address does not use up the time of the others.
const CONNECT: Duration = Duration::from_secs(4);

/// The most that is read of an answer, in bytes. What comes after that says nothing about the status.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// How long a connection is kept without use: shorter than the 5 s after which Node's and Apache's servers hang
/// up, as a request that meets the hang-up half-way fails. It is counted on after Lambda thaws too.
const IDLE: Duration = Duration::from_secs(4);

/// How many unused connections are kept for a host.
const MAX_IDLE_PER_HOST: usize = lane::CONCURRENCY;

/// What a receiver may send ahead over HTTP/2 before it is read: enough for any answer, not the 2 MB of the
/// default.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all the answers of one connection.
const CONNECTION_WINDOW: u32 = 8 * STREAM_WINDOW;

/// Posts to webhooks. Connections stay open between posts.
#[derive(Clone)]
pub struct Exchange {
    client: Client,
    allow_private: bool,
    deadline: Duration,
    clock: SharedClock,
}

/// How a call ended.
#[derive(Debug)]
pub struct Answer {
    /// What it means for the message.
    pub outcome: Outcome,
    /// The HTTP status, where one came.
    pub status: Option<u16>,
}

/// What an [`Exchange`] can be made with instead of the usual.
pub struct Options {
    /// Whether addresses that are not public may be called.
    pub allow_private: bool,
    /// Who looks host names up.
    pub resolver: Arc<dyn Resolve>,
    /// Whose certificates are trusted.
    pub roots: RootCertStore,
    /// How long the whole exchange may take.
    pub deadline: Duration,
    /// From when a `Retry-After` with a date is counted.
    pub clock: SharedClock,
}

impl Exchange {
    /// Calls public addresses only, unless `allow_private`, with the system's DNS and the public trust roots.
    ///
    /// # Errors
    /// [`HttpError`] when TLS could not be set up.
    pub fn new(allow_private: bool, clock: SharedClock) -> Result<Self, HttpError> {
        let (resolver, roots) = (Arc::new(SystemResolver), public_roots());
        Self::with(Options { allow_private, resolver, roots, deadline: DEADLINE, clock })
    }

    /// The same with another resolver, other trust roots, another deadline.
    ///
    /// # Errors
    /// [`HttpError`] when TLS could not be set up.
    pub fn with(options: Options) -> Result<Self, HttpError> {
        let Options { allow_private, resolver, roots, deadline, clock } = options;
        let resolver: Arc<dyn Resolve> =
            if allow_private { resolver } else { Arc::new(PublicOnly(resolver)) };
        let client = builder(roots)?
            .dns_resolver(resolver)
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE_PER_HOST)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            // Header names have no case, but there are receivers that look for `X-Signature` letter by letter.
            .http1_title_case_headers()
            .build()?;
        Ok(Self { client, allow_private, deadline, clock })
    }

    /// Posts `body` to `url` and waits for the end of the answer, up to the deadline.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Bytes) -> Answer {
        if let Err(failure) = self.check(url) {
            // No DNS comes between the URL and the address, so no later attempt would differ.
            return Answer { outcome: Outcome::Rejected(failure.into()), status: None };
        }
        let deadline = Instant::now() + self.deadline;
        let request = self.client.post(url.clone()).headers(headers).body(body);
        let response = match timeout_at(deadline, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return retry(failure(&error), None),
            Err(_) => return retry(Failure::Timeout, None),
        };
        let code = response.status().as_u16();
        let outcome = Failure::outcome_of_status(code, self.retry_after(&response));
        let end = timeout_at(deadline, read(response)).await;
        match (outcome, end) {
            // A receiver that does not come to the end of its answer is not known to have taken the message.
            (Outcome::Delivered, Err(_)) => retry(Failure::Timeout, Some(code)),
            (Outcome::Delivered, Ok(Err(error))) => retry(failure(&error), Some(code)),
            (outcome, _) => Answer { outcome, status: Some(code) },
        }
    }

    /// The client does not look literal addresses up, so the resolver never sees them.
    fn check(&self, url: &Url) -> Result<(), Failure> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Failure::Scheme);
        }
        match address::literal(url) {
            Some(address) if !self.allow_private && !address::is_public(address) => {
                Err(Failure::NoPublicAddress)
            }
            _ => Ok(()),
        }
    }

    fn retry_after(&self, response: &Response) -> Option<Duration> {
        let header = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
        segment::retry_after::parse(header, self.clock.now())
    }
}

/// Reads to the end, so that the connection can be used again. After [`MAX_RESPONSE_BYTES`] it stops, and the
/// connection is closed with the response.
async fn read(mut response: Response) -> Result<(), reqwest::Error> {
    let mut length = 0;
    while length <= MAX_RESPONSE_BYTES
        && let Some(chunk) = response.chunk().await?
    {
        length += chunk.len();
    }
    Ok(())
}

/// Anything that keeps a request from being answered can be fixed while it is retried: DNS, a certificate, a server.
fn retry(failure: Failure, status: Option<u16>) -> Answer {
    Answer { outcome: Outcome::retry(failure), status }
}

fn failure(error: &reqwest::Error) -> Failure {
    if in_chain::<NoPublicAddress>(error).is_some() {
        Failure::NoPublicAddress
    } else if error.is_dns() {
        Failure::Resolve
    } else if in_chain(error).is_some_and(is_about_the_certificate) {
        Failure::Certificate
    } else if error.is_timeout() {
        Failure::Timeout
    } else if error.is_connect() {
        Failure::Connect
    } else if in_chain(error).is_some_and(hyper::Error::is_parse_too_large) {
        Failure::Head
    } else {
        Failure::Transport
    }
}

fn is_about_the_certificate(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
}

/// The first error of type `E` among the causes of `error`.
fn in_chain<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An io::Error names as its source not what it wraps, but the source of that.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
