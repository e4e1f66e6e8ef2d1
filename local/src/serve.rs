//! `segue serve`: all functions in one process.

mod banner;
mod options;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use identity_webhook::{Authentication, Config};
use platform::{
    clock::{SharedClock, SystemClock},
    embedded::{Store, Subscription},
    http,
    secrets::{CachedSecret, StaticSecret},
    topic::MESSAGE_TYPE,
};
use segment::Secret;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

pub use self::options::Options;
use crate::{
    CommandError, consumer, debugger::Debugger, router, router::IdentityHandler, stand_in, stand_in::StandIn,
};

/// The queue that segment-delivery consumes.
const SEGMENT_QUEUE: &str = "segment";

/// How many batches are delivered at the same time.
const CONSUMERS: usize = 2;

/// How long a graceful stop waits for what is under way. All of it is durable: what is cut off is delivered
/// after the next start.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let authentication = options.authentication()?;
    options.check_exposure(&authentication)?;
    let clock = SystemClock::shared();
    let store = Store::open(&options.data_dir, clock.clone())?;
    let listener = TcpListener::bind(options.listen).await.map_err(|error| {
        format!("{} cannot be listened on: {error}; choose another with --listen", options.listen)
    })?;
    let address = listener.local_addr()?;
    let config = options.config(&store).await?;
    let stand_in = if options.segment.use_stand_in() {
        Some(StandIn::new(store.clone(), clock.clone()).await?)
    } else {
        None
    };
    let connection = options.segment.connect(&stand_in_url(address), &clock)?;

    let queue = store.queue(SEGMENT_QUEUE);
    let delivery = segment_delivery::Handler::new(
        queue.clone(),
        connection.client,
        connection.write_keys,
        clock.clone(),
    );
    let delivery = Arc::new(delivery);
    let signed = authentication.is_configured("fusionauth");
    let identity = Arc::new(identity_handler(&store, config, options.identity_secret.text(), clock)?);
    identity.prepare().await;
    let debugger =
        Debugger { queue: queue.clone(), stand_in: stand_in.clone(), endpoint: connection.endpoint.clone() };
    let router = router::router(identity, debugger, stand_in);

    banner::print(address, connection.endpoint.as_ref(), signed, &options.data_dir);
    let (stop, stopped) = watch::channel(false);
    let mut consumers = JoinSet::new();
    for _ in 0..CONSUMERS {
        consumers.spawn(consumer::consume(queue.clone(), delivery.clone(), stopped.clone()));
    }
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut until = stopped.clone();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        let _ = until.changed().await;
    });
    let server = tokio::spawn(server.into_future());
    wait_for_signal().await?;
    tracing::info!("Stopping; what is not delivered yet stays in the store.");
    stop.send_replace(true);
    let all = async {
        let _ = server.await;
        while consumers.join_next().await.is_some() {}
    };
    let _ = tokio::time::timeout(STOP_TIME, all).await;
    Ok(())
}

fn identity_handler(
    store: &Store,
    config: Config,
    secret: String,
    clock: SharedClock,
) -> Result<IdentityHandler, CommandError> {
    // As the filter policy in template.yaml: Segment's API has no delete call.
    let wants = |attributes: &platform::topic::Attributes| {
        attributes.get(MESSAGE_TYPE).is_none_or(|message_type| message_type != "delete")
    };
    let topic = store.topic(vec![Subscription { queue: SEGMENT_QUEUE, wants }]);
    let secret = CachedSecret::new(StaticSecret(Secret::new(secret)), Authentication::parse, clock.clone());
    Ok(IdentityHandler::new(topic, config, secret, http::client()?, clock))
}

/// The stand-in as this process reaches it.
fn stand_in_url(address: SocketAddr) -> String {
    format!("http://127.0.0.1:{}{}", address.port(), stand_in::PATH)
}

async fn wait_for_signal() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
