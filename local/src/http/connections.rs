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
const MOST: usize = 1_000;

/// The files that are open without any connection, with some to spare for what goes out.
const OWN_FILES: usize = 32;

/// The fewest connections, however few files there are.
const LEAST: usize = 4;

/// How long the head of a request may take to arrive, and how long a connection may be idle between two.
const HEAD_DEADLINE: Duration = Duration::from_secs(20);

/// The largest head of a request, in bytes, and the largest part of a body that is read at once.
const HEAD_BYTES: usize = 64 * 1024;

/// How many that are too many are told so at once. Others are cut off.
const TOLD: usize = 64;

/// How long a client may take to read more of an answer.
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// How long it may take to tell one.
const TELLING: Duration = Duration::from_millis(500);

/// How long to wait when no connection can be taken, as without a free file descriptor.
const PAUSE: Duration = Duration::from_millis(200);

/// The server of a router.
pub struct Connections {
    listener: TcpListener,
    router: Router,
    room: Arc<Semaphore>,
    telling: Arc<Semaphore>,
    refused: Throttle,
    failed: Throttle,
}

impl Connections {
    /// A server that listens already, for as many connections as the limit of open files allows, and [`MOST`].
    pub fn new(listener: TcpListener, router: Router) -> Self {
        // The others are for the store and for what goes out.
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
        let room = (files / 2).min(files.saturating_sub(OWN_FILES)).max(LEAST);
        Self::with_room(listener, router, MOST.min(room))
    }

    /// For `most` connections, with those that are only told that they are too many.
    fn with_room(listener: TcpListener, router: Router, most: usize) -> Self {
        let telling = (most / 4).clamp(1, TOLD);
        let (room, telling) = (Arc::new(Semaphore::new(most - telling)), Arc::new(Semaphore::new(telling)));
        Self { listener, router, room, telling, refused: Throttle::default(), failed: Throttle::default() }
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
                Ok((stream, peer)) => self.take(stream, peer, &graceful),
                Err(error) => {
                    self.failed.say(|count| {
                        tracing::error!(%error, failed = %count, "Connections could not be taken.");
                    });
                    sleep(PAUSE).await;
                }
            }
        }
        drop(self.listener);
        graceful.shutdown().await;
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr, graceful: &GracefulShutdown) {
        if let Ok(permit) = self.room.clone().try_acquire_owned() {
            tokio::spawn(answer(stream, peer, self.router.clone(), graceful.watcher(), permit));
            return;
        }
        self.refused.say(|count| {
            tracing::warn!(refused = %count, "Connections are refused: too many are open.");
        });
        if let Ok(permit) = self.telling.clone().try_acquire_owned() {
            tokio::spawn(async move {
                let _ = timeout(TELLING, refuse(stream)).await;
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
async fn answer(
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
async fn refuse(stream: TcpStream) {
    let response = || -> Response { busy("Too many connections are open. Send it again later.") };
    let service =
        service_fn(move |_: hyper::Request<Incoming>| std::future::ready(Ok::<_, Infallible>(response())));
    let _ = http().keep_alive(false).serve_connection(TokioIo::new(stream), service).await;
}

#[cfg(test)]
mod tests;
