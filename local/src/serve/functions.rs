//! The functions on the embedded store, wired as `template.yaml` wires them.

use std::{future::Future, pin::Pin, sync::Arc};

use identity_webhook::{Authentication, Config};
use platform::{
    clock::SharedClock,
    embedded::{EmbeddedQuota, EmbeddedRejectedQueue, Store, Subscription},
    http,
    queue::Received,
    secrets::{CachedSecret, StaticSecret},
    topic::{for_regulations, for_segment, for_webhooks},
    write_keys::WriteKeys,
};
use segment::{Client, Secret, regulation::MAX_USERS};
use webhook_delivery::{Exchange, Webhooks};

use super::{regulations, webhooks::Given};
use crate::{
    CommandError,
    consumer::Consumer,
    journal::{Journal, ObservedQueue, ObservedTopic},
    queues::{REGULATION_QUEUE, SEGMENT_QUEUE, WEBHOOK_QUEUE},
    router::{IdentityHandler, TrackingHandler},
};

/// The most messages a batch for Segment. It takes 2,500, of at most 480 KB together.
const SEGMENT_BATCH: u32 = 500;

/// How many batches are delivered to Segment at the same time.
const SEGMENT_BATCHES: usize = 2;

/// The most messages a batch for webhooks, unless one of them takes more in one request.
const WEBHOOK_BATCH: u32 = 64;

/// How many batches are delivered to webhooks at the same time. A webhook that does not answer holds up one of them
/// for 5 s each time it is probed.
const WEBHOOK_BATCHES: usize = 16;

/// The ids of messages to hand out again.
type Handled = Pin<Box<dyn Future<Output = Vec<String>> + Send>>;

/// The topic with its subscriptions. Without webhooks nothing is queued for them, and without a Public API token
/// nothing for regulations, as in `template.yaml`.
pub fn topic(store: &Store, webhooks: bool, regulations: bool, journal: &Journal) -> ObservedTopic {
    let mut subscriptions = vec![Subscription { queue: SEGMENT_QUEUE, wants: for_segment }];
    if webhooks {
        subscriptions.push(Subscription { queue: WEBHOOK_QUEUE, wants: for_webhooks });
    }
    if regulations {
        subscriptions.push(Subscription { queue: REGULATION_QUEUE, wants: for_regulations });
    }
    ObservedTopic::new(store.topic(subscriptions), journal.clone())
}

/// The identity webhook.
pub fn identity(
    store: &Store,
    topic: &ObservedTopic,
    config: Config,
    secret: String,
    clock: &SharedClock,
) -> Result<Arc<IdentityHandler>, CommandError> {
    let secret = CachedSecret::new(StaticSecret(Secret::new(secret)), Authentication::parse, clock.clone());
    let (topic, client) = (topic.clone(), http::client()?);
    let handler = IdentityHandler::new(topic, store.ledger(), config, secret, client, clock.clone());
    Ok(Arc::new(handler))
}

/// The tracking API. Without write keys it refuses everybody.
pub fn tracking(
    topic: ObservedTopic,
    rejected: EmbeddedRejectedQueue,
    write_keys: Option<Arc<CachedSecret<WriteKeys>>>,
    clock: &SharedClock,
) -> Arc<TrackingHandler> {
    let none = || CachedSecret::new(StaticSecret(Secret::new("{}")), WriteKeys::parse, clock.clone());
    let write_keys = write_keys.unwrap_or_else(|| Arc::new(none()));
    Arc::new(TrackingHandler::new(topic, rejected, write_keys, clock.clone()))
}

/// Segment delivery, and how its queue is consumed.
pub fn segment_delivery(
    queue: ObservedQueue,
    client: Client,
    write_keys: Arc<CachedSecret<WriteKeys>>,
    clock: &SharedClock,
) -> (Consumer, impl Fn(Vec<Received>) -> Handled + Clone + Send + 'static) {
    let handler = segment_delivery::Handler::new(queue.clone(), client, write_keys, clock.clone());
    let handler = Arc::new(handler.with_watcher(queue.journal.watcher()));
    let handle = move |batch| -> Handled {
        let handler = handler.clone();
        Box::pin(async move { handler.handle(batch).await })
    };
    (Consumer { queue: queue.queue, batch: SEGMENT_BATCH, batches: SEGMENT_BATCHES }, handle)
}

/// Webhook delivery, and how its queue is consumed.
pub fn webhook_delivery(
    queue: ObservedQueue,
    given: Given,
    allow_private: bool,
    clock: &SharedClock,
) -> Result<(Consumer, impl Fn(Vec<Received>) -> Handled + Clone + Send + 'static), CommandError> {
    let largest = given.webhooks.webhooks.iter().map(|webhook| webhook.batch_size).max().unwrap_or(1);
    let batch = u32::try_from(largest).unwrap_or(WEBHOOK_BATCH).max(WEBHOOK_BATCH);
    let secret = StaticSecret(Secret::new(given.secret));
    let webhooks = Arc::new(CachedSecret::new(secret, Webhooks::parse, clock.clone()));
    let exchange = Exchange::new(allow_private, clock.clone())?;
    let handler = webhook_delivery::Handler::new(queue.clone(), exchange, webhooks, clock.clone());
    let handler = Arc::new(handler.with_watcher(queue.journal.watcher()));
    let handle = move |batch| -> Handled {
        let handler = handler.clone();
        Box::pin(async move { handler.handle(batch).await })
    };
    Ok((Consumer { queue: queue.queue, batch, batches: WEBHOOK_BATCHES }, handle))
}

/// Regulation delivery, and how its queue is consumed: one call at a time, while further deletions gather.
pub fn regulation_delivery(
    queue: ObservedQueue,
    given: regulations::Given,
    quota: EmbeddedQuota,
    clock: &SharedClock,
) -> (Consumer, impl Fn(Vec<Received>) -> Handled + Clone + Send + 'static) {
    let regulations::Given { tokens, regulations, .. } = given;
    let handler = regulation_delivery::Handler::new(queue.clone(), regulations, tokens, quota, clock.clone());
    let handler = Arc::new(handler.with_watcher(queue.journal.watcher()));
    let handle = move |batch| -> Handled {
        let handler = handler.clone();
        Box::pin(async move { handler.handle(batch).await })
    };
    (Consumer { queue: queue.queue, batch: u32::try_from(MAX_USERS).unwrap_or(u32::MAX), batches: 1 }, handle)
}
