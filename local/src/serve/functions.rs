//! The functions on the embedded store, wired as `template.yaml` wires them.

use std::sync::Arc;

use identity_webhook::Authentication;
use platform::{
    embedded::Subscription,
    http,
    secrets::{CachedSecret, StaticSecret},
    topic::{for_regulations, for_segment, for_webhooks},
    write_keys::WriteKeys,
};
use segment::{Secret, regulation::MAX_USERS};
use tokio::{sync::watch, task::JoinSet};
use webhook_delivery::{Exchange, Webhooks};

use super::{regulations, webhooks, wiring::Wiring};
use crate::{
    error::CommandError,
    http::{
        names::Names,
        router::{Handlers, IdentityHandler, TrackingHandler},
    },
    journal::{ObservedTopic, Toward},
    queues::{REGULATION_QUEUE, SEGMENT_QUEUE, WEBHOOK_QUEUE, consumer::Consumer},
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

impl Wiring {
    /// The topic with its subscriptions. Without webhooks nothing is queued for them, and without a Public API token
    /// nothing for regulations, as in `template.yaml`.
    fn topic(&self) -> ObservedTopic {
        let mut subscriptions = vec![Subscription { queue: SEGMENT_QUEUE, wants: for_segment }];
        if self.webhooks.is_some() {
            subscriptions.push(Subscription { queue: WEBHOOK_QUEUE, wants: for_webhooks });
        }
        if self.regulations.is_some() {
            subscriptions.push(Subscription { queue: REGULATION_QUEUE, wants: for_regulations });
        }
        ObservedTopic::new(self.store.topic(subscriptions), self.journal.clone())
    }

    /// The functions that take requests.
    pub async fn handlers(&self) -> Result<Handlers, CommandError> {
        let (topic, clock) = (self.topic(), &self.clock);
        let secret = StaticSecret(Secret::new(self.options.identity_secret.text()));
        let secret = CachedSecret::new(secret, Authentication::parse, clock.clone());
        let (ledger, config) = (self.store.ledger(), self.config.clone());
        let identity =
            IdentityHandler::new(topic.clone(), ledger, config, secret, http::client()?, clock.clone());
        identity.prepare().await;
        let write_keys = match self.tracking_open() {
            true => self.connection.write_keys.clone(),
            false => {
                let none = StaticSecret(Secret::new("{}"));
                Arc::new(CachedSecret::new(none, WriteKeys::parse, clock.clone()))
            }
        };
        let tracking = TrackingHandler::new(topic, self.store.rejected(), write_keys, clock.clone());
        Ok(Handlers {
            identity: Arc::new(identity),
            tracking: Arc::new(tracking),
            journal: self.journal.clone(),
            authentication: self.authentication.clone(),
            well_known_key: self.connection.well_known_key,
            names: Names::new(self.address.ip(), self.options.public_host.clone()),
        })
    }

    /// The functions that deliver, each with its queue, until `stopped` changes.
    pub fn consumers(&mut self, stopped: &watch::Receiver<bool>) -> Result<JoinSet<()>, CommandError> {
        let (clock, watcher) = (self.clock.clone(), self.journal.watcher());
        let mut consumers = JoinSet::new();
        let queue = self.queues.observed(Toward::Segment, &self.journal);
        let (client, keys) = (self.connection.client.clone(), self.connection.write_keys.clone());
        let consumer =
            Consumer { queue: queue.queue.clone(), batch: SEGMENT_BATCH, batches: SEGMENT_BATCHES };
        let handler = segment_delivery::Handler::new(queue, client, keys, clock.clone());
        let handler = Arc::new(handler.with_watcher(watcher.clone()));
        let handle = move |batch| {
            let handler = handler.clone();
            async move { handler.handle(batch).await }
        };
        consumers.spawn(consumer.run(handle, stopped.clone()));
        if let Some(webhooks::Given { secret, webhooks }) = self.webhooks.take() {
            let queue = self.queues.observed(Toward::Webhooks, &self.journal);
            let largest = webhooks.webhooks.iter().map(|webhook| webhook.batch_size).max().unwrap_or(1);
            let batch = u32::try_from(largest).unwrap_or(WEBHOOK_BATCH).max(WEBHOOK_BATCH);
            let secret = CachedSecret::new(StaticSecret(Secret::new(secret)), Webhooks::parse, clock.clone());
            let exchange = Exchange::new(self.options.webhooks.allow_private_webhooks, clock.clone())?;
            let consumer = Consumer { queue: queue.queue.clone(), batch, batches: WEBHOOK_BATCHES };
            let handler = webhook_delivery::Handler::new(queue, exchange, Arc::new(secret), clock.clone());
            let handler = Arc::new(handler.with_watcher(watcher.clone()));
            let handle = move |batch| {
                let handler = handler.clone();
                async move { handler.handle(batch).await }
            };
            consumers.spawn(consumer.run(handle, stopped.clone()));
        }
        if let Some(regulations::Given { tokens, regulations, .. }) = self.regulations.take() {
            let queue = self.queues.observed(Toward::Deletion, &self.journal);
            // One call at a time, while further deletions gather.
            let batch = u32::try_from(MAX_USERS).unwrap_or(u32::MAX);
            let consumer = Consumer { queue: queue.queue.clone(), batch, batches: 1 };
            let quota = self.store.quota();
            let handler = regulation_delivery::Handler::new(queue, regulations, tokens, quota, clock);
            let handler = Arc::new(handler.with_watcher(watcher));
            let handle = move |batch| {
                let handler = handler.clone();
                async move { handler.handle(batch).await }
            };
            consumers.spawn(consumer.run(handle, stopped.clone()));
        }
        Ok(consumers)
    }
}
