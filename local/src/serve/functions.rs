//! The functions on the SQLite store, wired as `template.yaml` wires them.

use std::sync::Arc;

use delivery::{Destination, Engine};
use identity_webhook::Authentication;
use platform::{
    http,
    secrets::{CachedSecret, StaticSecret},
    sqlite::Subscription,
    topic::{for_regulations, for_segment, for_warehouse, for_webhooks},
    write_keys::WriteKeys,
};
use regulation_delivery::RegulationDestination;
use segment::{Secret, regulation::MAX_USERS};
use segment_delivery::SegmentDestination;
use tokio::{sync::watch, task::JoinSet};
use warehouse_delivery::WarehouseDestination;
use webhook_delivery::{Exchange, WebhookDestination, Webhooks};

use super::{regulations, webhooks, wiring::Wiring};
use crate::{
    error::CommandError,
    http::{
        names::Names,
        router::{Handlers, IdentityHandler, TrackingHandler},
    },
    journal::{ObservedTopic, QueueKind},
    options::warehouse::WarehouseSettings,
    queues::{REGULATION_QUEUE, SEGMENT_QUEUE, WAREHOUSE_QUEUE, WEBHOOK_QUEUE, consumer::Consumer},
};

/// The most messages in a batch for Segment. Segment accepts 2,500, of at most 480 KB together.
const SEGMENT_BATCH: u32 = 500;

/// The most batches delivered to Segment at once.
const SEGMENT_BATCHES: usize = 2;

/// The most messages in a batch for webhooks, unless a webhook takes more in one request.
const WEBHOOK_BATCH: u32 = 64;

/// The most batches delivered to webhooks at once. A webhook that does not answer blocks one of them for 5 s
/// at each probe.
const WEBHOOK_BATCHES: usize = 16;

/// The most messages in a batch for the warehouse: one transaction.
const WAREHOUSE_BATCH: u32 = 500;

/// The most batches for the warehouse at once. There is one connection; the second batch is read meanwhile.
const WAREHOUSE_BATCHES: usize = 2;

impl Wiring {
    /// Returns the topic with its subscriptions, as in `template.yaml`: none for webhooks without webhooks,
    /// and none for regulations without a Public API token.
    fn topic(&self) -> ObservedTopic {
        let mut subscriptions = vec![Subscription { queue: SEGMENT_QUEUE, wants: for_segment }];
        if self.webhooks.is_some() {
            subscriptions.push(Subscription { queue: WEBHOOK_QUEUE, wants: for_webhooks });
        }
        if self.warehouse.is_some() {
            subscriptions.push(Subscription { queue: WAREHOUSE_QUEUE, wants: for_warehouse });
        }
        if self.regulations.is_some() {
            subscriptions.push(Subscription { queue: REGULATION_QUEUE, wants: for_regulations });
        }
        ObservedTopic::new(self.store.topic(subscriptions), self.journal.clone())
    }

    /// Returns the functions that take requests.
    pub async fn handlers(&self) -> Result<Arc<Handlers>, CommandError> {
        let clock = &self.clock;
        let secret = StaticSecret(Secret::new(self.options.identity_secret.text()));
        let providers = self.config.providers().clone();
        let parse = move |text: &str| Authentication::parse(text, &providers);
        let secret = CachedSecret::new(secret, parse, clock.clone());
        let (ledger, config) = (self.store.ledger(), self.config.clone());
        let identity = IdentityHandler::new(ledger, config, secret, http::client()?, clock.clone())
            .taking_unsigned(self.options.takes_unsigned(&self.authentication));
        identity.prepare().await;
        let write_keys = match self.tracking_open() {
            true => self.connection.write_keys.clone(),
            false => {
                let none = StaticSecret(Secret::new("{}"));
                Arc::new(CachedSecret::new(none, WriteKeys::parse, clock.clone()))
            }
        };
        let tracking = TrackingHandler::new(self.store.rejected(), write_keys, clock.clone());
        Ok(Arc::new(Handlers {
            identity,
            tracking,
            topic: self.topic(),
            journal: self.journal.clone(),
            authentication: self.authentication.clone(),
            well_known_key: self.connection.well_known_key,
            names: Names::new(self.address.ip(), self.options.public_host.clone()),
        }))
    }

    /// Starts the functions that deliver, each with its queue. They run until `stopped` changes.
    pub fn consumers(&mut self, stopped: &watch::Receiver<bool>) -> Result<JoinSet<()>, CommandError> {
        let clock = self.clock.clone();
        let mut consumers = JoinSet::new();
        let (client, keys) = (self.connection.client.clone(), self.connection.write_keys.clone());
        let segment = SegmentDestination::new(client, keys, clock.clone());
        let batches = (SEGMENT_BATCH, SEGMENT_BATCHES);
        consumers.spawn(self.consume(QueueKind::Segment, segment, batches, stopped.clone()));
        if let Some(webhooks::WebhookSettings { secret, webhooks }) = self.webhooks.take() {
            let largest = webhooks.webhooks.iter().map(|webhook| webhook.batch_size).max().unwrap_or(1);
            let batch = u32::try_from(largest).unwrap_or(WEBHOOK_BATCH).max(WEBHOOK_BATCH);
            let secret = CachedSecret::new(StaticSecret(Secret::new(secret)), Webhooks::parse, clock.clone());
            let exchange = Exchange::new(self.options.webhooks.allow_private_webhooks, clock.clone())?;
            let mut webhooks = WebhookDestination::new(exchange, Arc::new(secret), clock.clone());
            if self.journal.is_on() {
                webhooks = webhooks.with_requests_shown();
            }
            let batches = (batch, WEBHOOK_BATCHES);
            consumers.spawn(self.consume(QueueKind::Webhooks, webhooks, batches, stopped.clone()));
        }
        if let Some(settings) = self.warehouse.take() {
            let WarehouseSettings { database, schemas, selection, .. } = settings;
            let mut warehouse =
                WarehouseDestination::new(database, schemas, clock.clone()).with_selection(selection);
            if self.journal.is_on() {
                warehouse = warehouse.with_notes();
            }
            let batches = (WAREHOUSE_BATCH, WAREHOUSE_BATCHES);
            consumers.spawn(self.consume(QueueKind::Warehouse, warehouse, batches, stopped.clone()));
        }
        if let Some(regulations::RegulationSettings { tokens, regulations, .. }) = self.regulations.take() {
            let regulations = RegulationDestination::new(regulations, tokens, self.store.quota(), clock);
            // One call at a time, while further deletions collect in the queue.
            let batches = (u32::try_from(MAX_USERS).unwrap_or(u32::MAX), 1);
            consumers.spawn(self.consume(QueueKind::Deletion, regulations, batches, stopped.clone()));
        }
        Ok(consumers)
    }

    /// Consumes a queue in `batches` concurrent batches of up to `batch` messages.
    fn consume<D: Destination>(
        &self,
        kind: QueueKind,
        destination: D,
        (batch, batches): (u32, usize),
        stopped: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + use<D> {
        let queue = self.queues.observed(kind, &self.journal);
        let consumer = Consumer { queue: queue.queue.clone(), batch, batches };
        let engine = Engine::new(queue, destination, self.clock.clone());
        let engine = Arc::new(engine.with_watcher(self.journal.watcher()));
        let handle = move |batch| {
            let engine = engine.clone();
            async move { engine.handle(batch).await }
        };
        consumer.run(handle, stopped)
    }
}
