//! Makes one request to a webhook and reads its answer, under one deadline.

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

/// The longest time for the whole exchange: DNS, connect, TLS, request, head and body of the answer.
/// Segment's webhooks have the same 5 seconds.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// The part of it for connecting. The client divides it among the addresses of a host, so that one dead
/// address does not use up the time of the others.
const CONNECT: Duration = Duration::from_secs(4);

/// The most bytes that are read of an answer. Anything after that says nothing about the status.
const MAX_RESPONSE_BYTES: usize = 16 * 1024;

/// How long an unused connection is kept. Node's and Apache's servers close it after 5 s, and a request that
/// meets the close would fail. The time also counts while Lambda is frozen.
const IDLE: Duration = Duration::from_secs(4);

/// The most unused connections for each host.
const MAX_IDLE_PER_HOST: usize = lane::CONCURRENCY;

/// How much a receiver may send ahead over HTTP/2 before it is read: enough for any answer, instead of the
/// default of 2 MB.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The same for all answers of one connection.
const CONNECTION_WINDOW: u32 = 8 * STREAM_WINDOW;

/// Posts to webhooks. Connections stay open between posts.
#[derive(Clone)]
pub struct Exchange {
    client: Client,
    allow_private: bool,
    deadline: Duration,
    clock: SharedClock,
}

/// The result of a call.
#[derive(Debug)]
pub struct Answer {
    /// The outcome for the message.
    pub outcome: Outcome,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
}

/// The options of an [`Exchange`].
pub struct Options {
    /// Whether private addresses may be called.
    pub allow_private: bool,
    /// The resolver of host names.
    pub resolver: Arc<dyn Resolve>,
    /// The trusted root certificates.
    pub roots: RootCertStore,
    /// The longest time for the whole exchange.
    pub deadline: Duration,
    /// The clock for a `Retry-After` with a date.
    pub clock: SharedClock,
}

impl Exchange {
    /// Returns an exchange with the system's DNS and the public root certificates. It calls only public
    /// addresses, unless `allow_private`.
    ///
    /// # Errors
    /// [`HttpError`] when TLS cannot be set up.
    pub fn new(allow_private: bool, clock: SharedClock) -> Result<Self, HttpError> {
        let (resolver, roots) = (Arc::new(SystemResolver), public_roots());
        Self::with(Options { allow_private, resolver, roots, deadline: DEADLINE, clock })
    }

    /// Returns an exchange with these options.
    ///
    /// # Errors
    /// [`HttpError`] when TLS cannot be set up.
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
            // Header names ignore case, but some receivers look for exactly `X-Signature`.
            .http1_title_case_headers()
            .build()?;
        Ok(Self { client, allow_private, deadline, clock })
    }

    /// Posts `body` to `url` and waits for the end of the answer, until the deadline.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Bytes) -> Answer {
        if let Err(failure) = self.check(url) {
            // The URL holds the address itself, so a later attempt would give the same result.
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
            // If the answer has no end, it is unknown whether the receiver took the message.
            (Outcome::Delivered, Err(_)) => retry(Failure::Timeout, Some(code)),
            (Outcome::Delivered, Ok(Err(error))) => retry(failure(&error), Some(code)),
            (outcome, _) => Answer { outcome, status: Some(code) },
        }
    }

    /// Checks a literal address. The client does not look it up, so the resolver never sees it.
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

/// Reads to the end, so that the connection can be used again. Stops after [`MAX_RESPONSE_BYTES`]; the
/// connection is then closed with the response.
async fn read(mut response: Response) -> Result<(), reqwest::Error> {
    let mut length = 0;
    while length <= MAX_RESPONSE_BYTES
        && let Some(chunk) = response.chunk().await?
    {
        length += chunk.len();
    }
    Ok(())
}

/// Returns an answer that asks for a retry: DNS, a certificate or a server can be fixed while the message is
/// retried.
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

/// Returns the first error of type `E` among the causes of `error`.
fn in_chain<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // As its source, an io::Error returns the source of the wrapped error, not the wrapped error.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
