//! `segue serve`: all functions in one process.

mod banner;
mod options;
mod webhooks;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use identity_webhook::Authentication;
use platform::{
    clock::{SharedClock, SystemClock},
    embedded::{EmbeddedQueue, EmbeddedTopic, Store, Subscription},
    http,
    secrets::{CachedSecret, StaticSecret},
    topic::{for_segment, for_webhooks},
    write_keys::WriteKeys,
};
use segment::Secret;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use webhook_delivery::{Exchange, Webhooks};

pub use self::options::Options;
use self::{banner::Banner, webhooks::Given};
use crate::{
    CommandError,
    consumer::Consumer,
    debugger::{Debugger, Queues},
    router::{self, IdentityHandler, TrackingHandler},
    segment_options::STAND_IN_WRITE_KEY,
    stand_in,
    stand_in::StandIn,
};

/// The queue that segment-delivery consumes.
const SEGMENT_QUEUE: &str = "segment";

/// The queue that webhook-delivery consumes.
const WEBHOOK_QUEUE: &str = "webhooks";

/// The most messages a batch for Segment. It takes 2,500, of at most 480 KB together.
const SEGMENT_BATCH: u32 = 500;

/// How many batches are delivered to Segment at the same time.
const SEGMENT_BATCHES: usize = 2;

/// The most messages a batch for webhooks, unless one of them takes more in one request.
const WEBHOOK_BATCH: u32 = 64;

/// How many batches are delivered to webhooks at the same time. A webhook that does not answer holds up one of them
/// for 5 s each time it is probed.
const WEBHOOK_BATCHES: usize = 16;

/// How long a graceful stop waits for what is under way. All of it is durable: what is cut off is delivered
/// after the next start.
const STOP_TIME: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT.
pub async fn run(options: Options) -> Result<(), CommandError> {
    let authentication = options.authentication()?;
    options.check_exposure(&authentication)?;
    let webhooks = options.webhooks.given()?;
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
    let topic = topic(&store, webhooks.is_some());

    let secret = CachedSecret::new(
        StaticSecret(Secret::new(options.identity_secret.text())),
        Authentication::parse,
        clock.clone(),
    );
    let identity = IdentityHandler::new(topic.clone(), config, secret, http::client()?, clock.clone());
    identity.prepare().await;
    // Anybody knows the stand-in's write key, so it is good on this machine only.
    let tracking_open = address.ip().is_loopback() || !connection.well_known_key;
    let tracking_keys = if tracking_open { connection.write_keys.clone() } else { no_write_keys(&clock) };
    let tracking = TrackingHandler::new(topic, tracking_keys, clock.clone());
    let queues = queues(&store);
    let debugger = Debugger {
        queues: queues.clone(),
        stand_in: stand_in.clone(),
        endpoint: connection.endpoint.clone(),
    };
    let router = router::router(Arc::new(identity), Arc::new(tracking), debugger, stand_in);

    Banner {
        address,
        endpoint: connection.endpoint.as_ref(),
        signed: authentication.is_configured("fusionauth"),
        write_key: connection.well_known_key.then_some(STAND_IN_WRITE_KEY),
        tracking_open,
        webhooks: webhooks.as_ref().map_or(&[], |given| &given.webhooks.webhooks),
        data_dir: &options.data_dir,
    }
    .print();
    let (stop, stopped) = watch::channel(false);
    let mut consumers = JoinSet::new();
    let delivery = Arc::new(segment_delivery::Handler::new(
        queues.segment.clone(),
        connection.client,
        connection.write_keys,
        clock.clone(),
    ));
    let segment = Consumer { queue: queues.segment, batch: SEGMENT_BATCH, batches: SEGMENT_BATCHES };
    let handle = move |batch| {
        let delivery = delivery.clone();
        async move { delivery.handle(batch).await }
    };
    consumers.spawn(segment.run(handle, stopped.clone()));
    if let Some(given) = webhooks {
        let (consumer, delivery) =
            webhook_delivery(queues.webhooks, given, options.webhooks.allow_private_webhooks, clock)?;
        let handle = move |batch| {
            let delivery = delivery.clone();
            async move { delivery.handle(batch).await }
        };
        consumers.spawn(consumer.run(handle, stopped.clone()));
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

/// The queues of the store.
pub fn queues(store: &Store) -> Queues {
    Queues { segment: store.queue(SEGMENT_QUEUE), webhooks: store.queue(WEBHOOK_QUEUE) }
}

/// The address by which this machine reaches a server that listens there.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        _ => address,
    }
}

/// The topic with its subscriptions. Without webhooks nothing is queued for them, as in `template.yaml`.
fn topic(store: &Store, webhooks: bool) -> EmbeddedTopic {
    let mut subscriptions = vec![Subscription { queue: SEGMENT_QUEUE, wants: for_segment }];
    if webhooks {
        subscriptions.push(Subscription { queue: WEBHOOK_QUEUE, wants: for_webhooks });
    }
    store.topic(subscriptions)
}

fn webhook_delivery(
    queue: EmbeddedQueue,
    given: Given,
    allow_private: bool,
    clock: SharedClock,
) -> Result<(Consumer, Arc<webhook_delivery::Handler<EmbeddedQueue>>), CommandError> {
    let largest = given.webhooks.webhooks.iter().map(|webhook| webhook.batch_size).max().unwrap_or(1);
    let batch = u32::try_from(largest).unwrap_or(WEBHOOK_BATCH).max(WEBHOOK_BATCH);
    let consumer = Consumer { queue: queue.clone(), batch, batches: WEBHOOK_BATCHES };
    let secret = StaticSecret(Secret::new(given.secret));
    let webhooks = Arc::new(CachedSecret::new(secret, Webhooks::parse, clock.clone()));
    let exchange = Exchange::new(allow_private, clock.clone())?;
    Ok((consumer, Arc::new(webhook_delivery::Handler::new(queue, exchange, webhooks, clock))))
}

/// What refuses everybody.
fn no_write_keys(clock: &SharedClock) -> Arc<CachedSecret<WriteKeys>> {
    Arc::new(CachedSecret::new(StaticSecret(Secret::new("{}")), WriteKeys::parse, clock.clone()))
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
