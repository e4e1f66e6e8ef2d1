//! `segue serve`: all functions in one process.

mod banner;
mod functions;
mod options;
mod regulations;
mod webhooks;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use platform::{
    clock::SystemClock,
    embedded::{Store, StoreError},
    telemetry::Chain,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use self::banner::Banner;
pub use self::{functions::queues, options::Options};
use crate::{
    CommandError,
    debugger::Debugger,
    router,
    segment_options::{Connection, STAND_IN_WRITE_KEY},
    stand_in,
    stand_in::StandIn,
};

/// How long a graceful stop waits for what is under way. All of it is durable: what is cut off is delivered
/// after the next start.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let authentication = options.authentication()?;
    options.check_exposure(&authentication)?;
    let webhooks = options.webhooks.given()?;
    let clock = SystemClock::shared();
    let authentic = authentication.is_configured() || options.allow_unsigned;
    let regulations = options.regulations.given(authentic, &clock)?;
    let store =
        Store::open(&options.data_dir, clock.clone()).map_err(|error| unusable(&options.data_dir, &error))?;
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        format!("{} cannot be listened on: {error}; choose another with --listen", options.listen)
    })?;
    let address = listener.local_addr()?;
    let config = options.config(&store, &authentication).await?;
    let stand_in = if options.segment.use_stand_in() {
        Some(StandIn::new(store.clone(), clock.clone()).await?)
    } else {
        None
    };
    let connection = options.segment.connect(&stand_in_url(address), &clock)?;
    let topic = functions::topic(&store, webhooks.is_some(), regulations.is_some());
    let unsigned_too = config.allow_unsigned;
    let identity = functions::identity(&store, &topic, config, options.identity_secret.text(), &clock)?;
    identity.prepare().await;
    // Anybody knows the stand-in's write key, so it is good on this machine only.
    let tracking_open = address.ip().is_loopback() || !connection.well_known_key;
    let tracking_keys = tracking_open.then(|| connection.write_keys.clone());
    let tracking = functions::tracking(topic, tracking_keys, &clock);
    let queues = functions::queues(&store);
    let debugger = Debugger {
        queues: queues.clone(),
        stand_in: stand_in.clone(),
        endpoint: connection.endpoint.clone(),
    };
    let router = router::router(identity, tracking, debugger, stand_in);

    // Before anybody is told that it is up: who reads that may stop it at once, and that is to be orderly.
    let signalled = signalled()?;
    Banner {
        address,
        endpoint: connection.endpoint.as_ref(),
        proofs: authentication.proofs(),
        unsigned_too,
        write_key: connection.well_known_key.then_some(STAND_IN_WRITE_KEY),
        tracking_open,
        webhooks: webhooks.as_ref().map_or(&[], |given| &given.webhooks.webhooks),
        regulations: regulations.as_ref().map(|given| &*given.description),
        data_dir: &options.data_dir,
    }
    .show();
    let (stop, stopped) = watch::channel(false);
    let mut consumers = JoinSet::new();
    let Connection { client, write_keys, .. } = connection;
    let (consumer, handle) = functions::segment_delivery(queues.segment, client, write_keys, &clock);
    consumers.spawn(consumer.run(handle, stopped.clone()));
    if let Some(given) = webhooks {
        let allow_private = options.webhooks.allow_private_webhooks;
        let (consumer, handle) = functions::webhook_delivery(queues.webhooks, given, allow_private, &clock)?;
        consumers.spawn(consumer.run(handle, stopped.clone()));
    }
    if let Some(given) = regulations {
        let (consumer, handle) =
            functions::regulation_delivery(queues.regulations, given, store.quota(), &clock);
        consumers.spawn(consumer.run(handle, stopped.clone()));
    }
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut until = stopped.clone();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        let _ = until.changed().await;
    });
    let server = tokio::spawn(server.into_future());
    signalled.await;
    tracing::info!("Stopping; what is not delivered yet stays in the store.");
    stop.send_replace(true);
    let all = async {
        let _ = server.await;
        while consumers.join_next().await.is_some() {}
    };
    let _ = tokio::time::timeout(STOP_TIME, all).await;
    Ok(())
}

/// A store that cannot be used, in a sentence that says where it is and what to do.
pub fn unusable(data_dir: &Path, error: &StoreError) -> CommandError {
    let advice = match error {
        StoreError::Sqlite(_) => {
            "; check the folder's permissions and the disk's free space, or choose another with --data-dir"
        }
        // Their texts say what to do.
        StoreError::Directory(_) | StoreError::InUse => "",
        StoreError::Stopped => "; start again",
    };
    format!("{}: {}{advice}", data_dir.display(), Chain(error)).into()
}

/// The address by which this machine reaches a server that listens there.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

/// The stand-in as this process reaches it.
fn stand_in_url(address: SocketAddr) -> String {
    format!("http://127.0.0.1:{}{}", address.port(), stand_in::PATH)
}

/// What ends when the process is asked to stop, from now on.
fn signalled() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
