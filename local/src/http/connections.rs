//! Connections: HTTP/1 only, so many at once, and each with a deadline for what it asks.

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

/// The most connections at once, where the limit of open files allows so many.
const MAX_CONNECTIONS: usize = 1_000;

/// The files that are open without any connection, with some to spare for what goes out.
const OWN_FILES: usize = 32;

/// The fewest connections, however few files there are.
const MIN_CONNECTIONS: usize = 4;

/// How long the head of a request may take to arrive, and how long a connection may be idle between two.
const HEAD_DEADLINE: Duration = Duration::from_secs(20);

/// The largest head of a request, in bytes, and the largest part of a body that is read at once.
const HEAD_BYTES: usize = 64 * 1024;

/// How many that are too many are told so at once. Others are cut off.
const MAX_BUSY_ANSWERS: usize = 64;

/// How long a client may take to read more of an answer.
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// How long it may take to tell one.
const BUSY_ANSWER_TIMEOUT: Duration = Duration::from_millis(500);

/// How long to wait when no connection can be taken, as without a free file descriptor.
const PAUSE: Duration = Duration::from_millis(200);

/// The server of a router.
pub struct Connections {
    listener: TcpListener,
    router: Router,
    slots: Arc<Semaphore>,
    busy_answers: Arc<Semaphore>,
    rejections: Throttle,
    failures: Throttle,
}

impl Connections {
    /// A server that listens already, for as many connections as the limit of open files allows, and [`MAX_CONNECTIONS`].
    pub fn new(listener: TcpListener, router: Router) -> Self {
        // The others are for the store and for what goes out.
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
        let slots = (files / 2).min(files.saturating_sub(OWN_FILES)).max(MIN_CONNECTIONS);
        Self::with_slots(listener, router, MAX_CONNECTIONS.min(slots))
    }

    /// For `most` connections, with those that are only told that they are too many.
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

    /// Serves until it is to stop, and then until what is under way is answered.
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
                        tracing::error!(%error, failed = %count, "Connections could not be taken.");
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

/// Answers what comes over one connection.
async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
    permit: OwnedSemaphorePermit,
) {
    // Answers are small, and somebody waits for each.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(READ_DEADLINE));
    let connection = http().serve_connection(TokioIo::new(Box::pin(stream)), service);
    // An error is the other side's: it broke off, was too slow, or sent what is no HTTP.
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "A connection ended early.");
    }
    drop(permit);
}

/// Tells one that is too many.
async fn answer_busy(stream: TcpStream) {
    let response = || -> Response { busy("Too many connections are open. Send it again later.") };
    let service =
        service_fn(move |_: hyper::Request<Incoming>| std::future::ready(Ok::<_, Infallible>(response())));
    let _ = http().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

#[cfg(test)]
mod tests;
