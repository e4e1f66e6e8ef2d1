//! Connections: HTTP/1 only, with a limit for all and deadlines for each.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo, response::Response};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

use tokio_io_timeout::TimeoutStream;

use super::throttle::Throttle;
use crate::refusal::busy;

/// The most connections at once, if the limit of open files allows them.
const MAX_CONNECTIONS: usize = 1_000;

/// The files reserved for the store and for outgoing requests.
const OWN_FILES: usize = 32;

/// The fewest connections, even with fewer files.
const MIN_CONNECTIONS: usize = 4;

/// The deadline for a request's headers, and the longest idle time between two requests.
const HEAD_DEADLINE: Duration = Duration::from_secs(20);

/// The largest headers of a request, and the largest read of a body, in bytes.
const HEAD_BYTES: usize = 64 * 1024;

/// The most surplus connections that get a 503 at once. Others are closed without an answer.
const MAX_BUSY_ANSWERS: usize = 64;

/// The deadline for a client to read more of an answer.
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// The deadline for a 503 to a surplus connection.
const BUSY_ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// The pause after a failed accept, such as without a free file descriptor.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves a router.
pub struct Connections {
    listener: TcpListener,
    router: Router,
    slots: Arc<Semaphore>,
    busy_answers: Arc<Semaphore>,
    rejections: Throttle,
    failures: Throttle,
}

impl Connections {
    /// Creates a server for up to [`MAX_CONNECTIONS`] connections, or fewer if the limit of open files is
    /// low.
    pub fn new(listener: TcpListener, router: Router) -> Self {
        // The other half is for the store and for outgoing requests.
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
        let slots = (files / 2).min(files.saturating_sub(OWN_FILES)).max(MIN_CONNECTIONS);
        Self::with_slots(listener, router, MAX_CONNECTIONS.min(slots))
    }

    /// Creates a server for `most` connections, including those that only get a 503.
    fn with_slots(listener: TcpListener, router: Router, most: usize) -> Self {
        let busy_answers = (most / 4).clamp(1, MAX_BUSY_ANSWERS);
        let (slots, busy_answers) =
            (Arc::new(Semaphore::new(most - busy_answers)), Arc::new(Semaphore::new(busy_answers)));
        Self {
            listener,
            router,
            slots,
            busy_answers,
            rejections: Throttle::default(),
            failures: Throttle::default(),
        }
    }

    /// Serves until `stopped` changes, then finishes the current requests.
    pub async fn serve(self, mut stopped: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stopped.changed() => break,
            };
            match accepted {
                Ok((stream, peer)) => self.accept(stream, peer, &graceful),
                Err(error) => {
                    self.failures.log(|count| {
                        tracing::error!(%error, failed = %count, "Connections could not be accepted.");
                    });
                    sleep(PAUSE).await;
                }
            }
        }
        drop(self.listener);
        graceful.shutdown().await;
    }

    fn accept(&self, stream: TcpStream, peer: SocketAddr, graceful: &GracefulShutdown) {
        if let Ok(permit) = self.slots.clone().try_acquire_owned() {
            tokio::spawn(serve_connection(stream, peer, self.router.clone(), graceful.watcher(), permit));
            return;
        }
        self.rejections.log(|count| {
            tracing::warn!(refused = %count, "Connections are refused: too many are open.");
        });
        if let Ok(permit) = self.busy_answers.clone().try_acquire_owned() {
            tokio::spawn(async move {
                let _ = timeout(BUSY_ANSWER_TIMEOUT, answer_busy(stream)).await;
                drop(permit);
            });
        }
    }
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_BYTES)
        .max_header_size(HEAD_BYTES);
    http
}

/// Serves one connection.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
    permit: OwnedSemaphorePermit,
) {
    // Answers are small, and a client waits for each.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READ_DEADLINE));
    let connection = http().serve_connection(TokioIo::new(Box::pin(stream)), service);
    // The client causes these errors: it disconnected, was too slow, or did not send HTTP.
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "A connection ended early.");
    }
    drop(permit);
}

/// Answers a surplus connection with 503.
async fn answer_busy(stream: TcpStream) {
    let response = || -> Response { busy("Too many connections are open. Send it again later.") };
    let service =
        service_fn(move |_: hyper::Request<Incoming>| std::future::ready(Ok::<_, Infallible>(response())));
    let _ = http().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

#[cfg(test)]
mod tests;
