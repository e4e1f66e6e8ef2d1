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

/// The longest wait for current work at a stop. It is safe to cut off: the store has it, and the next start
/// delivers it.
const STOP_TIME: Duration = Duration::from_secs(5);

/// The exit code when the content of the disk is unknown: EX_IOERR of BSD's sysexits.
const UNKNOWN_STATE: u8 = 74;

/// SIGXFSZ, the signal for a file beyond the size limit (Linux, signal(7)).
const FILE_TOO_LARGE: i32 = 25;

/// Serves until SIGTERM or SIGINT, or until the store is broken.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let mut wiring = Wiring::open(options).await?;
    let handlers = wiring.handlers().await?;
    let setup = Arc::new(wiring.setup());
    // Set up before the start screen: a reader of it may stop Segue at once.
    let signaled = signaled()?;
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
    let broken = until_stopped(wiring.listener, router, consumers, stop, signaled, &store).await;
    let Some(error) = broken else {
        // Closing merges the log into one file, without the delivered messages.
        let _ = tokio::time::timeout(STOP_TIME, store.close()).await;
        return Ok(());
    };
    tracing::error!(
        error = %Chain(&error),
        "The content of the disk is unknown, so Segue exits. The next start reads it; every accepted message is there."
    );
    Err(Exit(UNKNOWN_STATE).into())
}

/// Serves and consumes until the signal, or until the store breaks, then finishes current work. Returns the
/// error of a broken store.
async fn until_stopped(
    listener: TcpListener,
    router: Router,
    mut consumers: JoinSet<()>,
    stop: watch::Sender<bool>,
    signaled: impl Future<Output = ()>,
    store: &Store,
) -> Option<StoreError> {
    let server = tokio::spawn(Connections::new(listener, router).serve(stop.subscribe()));
    let broken = tokio::select! {
        () = signaled => {
            tracing::info!("Stopping. Undelivered messages stay in the store.");
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

/// Returns a future that ends when the process gets SIGTERM or SIGINT.
fn signaled() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // With a handler, a write beyond the size limit fails as on a full disk, and does not end the process.
    let limit = signal(SignalKind::from_raw(FILE_TOO_LARGE))?;
    Ok(async move {
        let _limit = limit;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
