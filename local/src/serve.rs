//! `segue serve`: all functions in one process.

mod banner;
mod functions;
mod options;
mod page;
mod regulations;
mod webhooks;
mod wiring;

use std::{sync::Arc, time::Duration};

use axum::Router;
use platform::{
    sqlite::{Store, StoreError},
    telemetry::Chain,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use self::{banner::Banner, wiring::Wiring};
pub use self::{options::Options, page::Page};
use crate::{
    error::{CommandError, Exit},
    http::connections::Connections,
};

/// How long a graceful stop waits for what is under way. All of it is durable: what is cut off is delivered
/// after the next start.
const STOP_TIME: Duration = Duration::from_secs(5);

/// The exit code when nobody knows what is on disk: EX_IOERR of BSD's sysexits.
const UNKNOWN_STATE: u8 = 74;

/// SIGXFSZ, by which a process is told that a file would be larger than it may (Linux, signal(7)).
const FILE_TOO_LARGE: i32 = 25;

/// Serves until SIGTERM or SIGINT, or until the store is broken.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let mut wiring = Wiring::open(options).await?;
    let handlers = wiring.handlers().await?;
    let setup = Arc::new(wiring.setup());
    // Before anybody is told that it is up: a reader of that may stop it at once, and that is to be orderly.
    let signalled = signalled()?;
    Banner {
        setup: &setup,
        unsent: wiring.options.segment.unsent_warning(),
        page: wiring.options.page.link(wiring.address, wiring.access.as_ref(), &wiring.options.data_dir),
        data_dir: &wiring.options.data_dir,
    }
    .show();
    let (stop, stopped) = watch::channel(false);
    let router = wiring.routes(&handlers, setup, stopped.clone());
    let consumers = wiring.consumers(&stopped)?;
    let store = wiring.store;
    let broken = until_stopped(wiring.listener, router, consumers, stop, signalled, &store).await;
    let Some(error) = broken else {
        // The next start finds all in one file, and this one leaves nothing behind that was delivered.
        let _ = tokio::time::timeout(STOP_TIME, store.close()).await;
        return Ok(());
    };
    tracing::error!(
        error = %Chain(&error),
        "It is not known what is on disk, so Segue ends. A new start reads what is there; all that was accepted is."
    );
    Err(Exit(UNKNOWN_STATE).into())
}

/// Serves and consumes until the signal comes or the store is broken, and then brings to an end what is under way. Returns
/// what is wrong with the store.
async fn until_stopped(
    listener: TcpListener,
    router: Router,
    mut consumers: JoinSet<()>,
    stop: watch::Sender<bool>,
    signalled: impl Future<Output = ()>,
    store: &Store,
) -> Option<StoreError> {
    let server = tokio::spawn(Connections::new(listener, router).serve(stop.subscribe()));
    let broken = tokio::select! {
        () = signalled => {
            tracing::info!("Stopping; what is not delivered yet stays in the store.");
            None
        }
        error = store.broken() => Some(error),
    };
    stop.send_replace(true);
    let all = async {
        let _ = server.await;
        while consumers.join_next().await.is_some() {}
    };
    let _ = tokio::time::timeout(STOP_TIME, all).await;
    broken
}

/// What ends when the process is asked to stop, from now on.
fn signalled() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A write beyond the limit for a file's size then fails, as on a full disk, and does not end the process.
    let limit = signal(SignalKind::from_raw(FILE_TOO_LARGE))?;
    Ok(async move {
        let _limit = limit;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
