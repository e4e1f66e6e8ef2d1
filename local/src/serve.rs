//! `segue serve`: all functions in one process.

mod banner;
mod connections;
mod functions;
mod options;
mod page;
mod regulations;
mod webhooks;

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::Router;
use platform::{
    clock::SteadyClock,
    embedded::{Store, StoreError},
    telemetry::Chain,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{Semaphore, watch},
    task::JoinSet,
};

use self::{banner::Banner, connections::Connections};
pub use self::{
    options::{Options, deployment},
    page::Page,
};
use crate::{
    CommandError, debugger,
    debugger::{Counted, Debugger, Setup, VIEWERS},
    health,
    journal::{Destinations, Journal, MOST, Means, Toward},
    names::Names,
    output::Exit,
    queues::Queues,
    router,
    router::Handlers,
    segment_options::{Connection, STAND_IN_WRITE_KEY},
    stand_in,
    stand_in::StandIn,
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
    let authentication = options.authentication()?;
    options.check_exposure(&authentication)?;
    let webhooks = options.webhooks.given()?;
    let clock = SteadyClock::shared();
    let authentic = authentication.is_configured() || options.allow_unsigned;
    let regulations = options.regulations.given(authentic, &clock)?;
    let store =
        Store::open(&options.data_dir, clock.clone()).map_err(|error| unusable(&options.data_dir, &error))?;
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        format!("{} cannot be listened on: {error}; choose another with --listen", options.listen)
    })?;
    let address = listener.local_addr()?;
    let access = options.page.access(options.is_trial(), &options.data_dir, address.port())?;
    let config = options.config(&store, &authentication).await?;
    let destinations = Destinations {
        webhooks: webhooks.iter().flat_map(|given| given.webhooks.webhooks.clone()).collect(),
        regulations: regulations.is_some(),
        stand_in: options.segment.use_stand_in(),
    };
    let journal = Journal::new(destinations, access.is_some(), clock.clone());
    let queues = Queues::of(&store);
    if let Err(error) = queues.segment.adopt(&queues.all().map(|named| named.name)).await {
        tracing::warn!(error = %Chain(&error), "Messages whose queue is damaged stay where they are.");
    }
    let stand_in = if options.segment.use_stand_in() {
        Some(StandIn::new(store.clone(), clock.clone(), journal.clone()).await?)
    } else {
        None
    };
    if journal.is_on() {
        seed(&journal, stand_in.as_ref(), &queues).await?;
    }
    let unsent = options.segment.unsent();
    let connection = options.segment.connect(&stand_in_url(address), &clock)?;
    let topic = functions::topic(&store, webhooks.is_some(), regulations.is_some(), &journal);
    let (unsigned_too, deployment) = (config.allow_unsigned, config.deployment.clone());
    let shown = config.clone();
    let identity = functions::identity(&store, &topic, config, options.identity_secret.text(), &clock)?;
    identity.prepare().await;
    // Anybody knows the stand-in's write key, so it is good on this machine only.
    let tracking_open = address.ip().is_loopback() || !connection.well_known_key;
    let tracking_keys = tracking_open.then(|| connection.write_keys.clone());
    let rejected = store.rejected();
    let tracking = functions::tracking(topic, rejected.clone(), tracking_keys, &clock);
    let authentication = Arc::new(authentication);
    let handlers = Handlers {
        identity,
        tracking,
        journal: journal.clone(),
        authentication: authentication.clone(),
        well_known_key: connection.well_known_key,
        names: Names::new(address.ip(), options.public_host),
    };
    let (stop, stopped) = watch::channel(false);
    let write_key = connection.well_known_key.then_some(STAND_IN_WRITE_KEY);
    let names =
        webhooks.iter().flat_map(|given| &given.webhooks.webhooks).map(|webhook| webhook.name.clone());
    let setup = Setup {
        version: env!("CARGO_PKG_VERSION"),
        url: format!("http://{}", reachable(address)),
        deployment,
        stand_in: stand_in.is_some(),
        endpoint: connection.client.endpoint().to_string(),
        tracking_open,
        write_key: write_key.filter(|_| tracking_open).map(str::to_owned),
        webhooks: names.collect(),
        unsigned: unsigned_too,
        regulations: regulations.as_ref().map(|given| given.description.clone()),
        authenticated: authentication.proofs().into_iter().map(|proofs| proofs.provider).collect(),
    };
    let page = options.page.link(address, access.as_ref(), &options.data_dir);
    let banner = Banner { setup: &setup, unsent, page, data_dir: &options.data_dir };
    // Before anybody is told that it is up: who reads that may stop it at once, and that is to be orderly.
    let signalled = signalled()?;
    banner.show();
    let means = Means { client: connection.client.clone(), config: shown, authentication };
    let debugger = Debugger {
        journal: journal.clone(),
        queues: queues.clone(),
        rejected,
        stand_in: stand_in.clone(),
        means: Arc::new(means),
        handlers: handlers.clone(),
        write_keys: connection.write_keys.clone(),
        setup: Arc::new(setup),
        stop: stopped.clone(),
        counted: Counted::default(),
        viewers: Arc::new(Semaphore::new(VIEWERS)),
    };
    let page = access.map_or_else(Router::new, |access| debugger::routes(debugger, access));
    let router = router::router(&handlers, health::routes(store.clone()), page, stand_in);
    let mut consumers = JoinSet::new();
    let Connection { client, write_keys, .. } = connection;
    let (consumer, handle) =
        functions::segment_delivery(queues.observed(Toward::Segment, &journal), client, write_keys, &clock);
    consumers.spawn(consumer.run(handle, stopped.clone()));
    if let Some(given) = webhooks {
        let allow_private = options.webhooks.allow_private_webhooks;
        let queue = queues.observed(Toward::Webhooks, &journal);
        let (consumer, handle) = functions::webhook_delivery(queue, given, allow_private, &clock)?;
        consumers.spawn(consumer.run(handle, stopped.clone()));
    }
    if let Some(given) = regulations {
        let queue = queues.observed(Toward::Deletion, &journal);
        let (consumer, handle) = functions::regulation_delivery(queue, given, store.quota(), &clock);
        consumers.spawn(consumer.run(handle, stopped));
    }
    let broken = until_stopped(listener, router, consumers, stop, signalled, &store).await;
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

/// A store that cannot be used, in a sentence that says where it is and what to do.
pub fn unusable(data_dir: &Path, error: &StoreError) -> CommandError {
    let advice = match error {
        StoreError::Sqlite(_) => {
            "; check the folder's permissions and the disk's free space, or choose another with --data-dir"
        }
        // Their texts say what to do.
        StoreError::Directory(_)
        | StoreError::Unwritable(_)
        | StoreError::InUse
        | StoreError::Newer
        | StoreError::Damaged(_)
        | StoreError::Refused(_) => "",
        StoreError::Stopped | StoreError::TransactionLost => "; start again",
    };
    format!("{}: {}{advice}", data_dir.display(), Chain(error)).into()
}

/// Fills the journal with what the store has.
async fn seed(journal: &Journal, stand_in: Option<&StandIn>, queues: &Queues) -> Result<(), StoreError> {
    let mut received = match stand_in {
        Some(stand_in) => stand_in.newest(u32::try_from(MOST).unwrap_or(u32::MAX)).await?,
        None => Vec::new(),
    };
    received.reverse();
    let queues = queues.all().map(|named| (named.toward, named.queue.clone()));
    journal.seed(received, &queues).await
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
