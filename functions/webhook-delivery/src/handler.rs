//! One batch from the queue: plan, attempt all deliveries at once, settle.

use std::{sync::Arc, time::Duration};

use platform::{
    breaker::Permit,
    clock::SharedClock,
    queue::{Queue, Received},
    secrets::CachedSecret,
    telemetry::Chain,
};

use crate::{
    config::Webhooks,
    exchange::Exchange,
    lane::Lanes,
    outcome::{Failure, Outcome},
    payload::Payload,
    plan::plan,
};

/// What became of a delivery.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// An attempt was made.
    Tried(Outcome),
    /// None was made, because the webhook is not to be called for this long.
    Held(Duration),
    /// None was made, because too many others are under way.
    Busy,
}

impl Ending {
    fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Tried(Outcome::Rejected(Failure::Status(401))))
    }
}

/// Delivers what the queue hands out. It keeps the breakers, so there is one for the life of a process.
pub struct Handler<Q> {
    pub(crate) queue: Q,
    pub(crate) clock: SharedClock,
    pub(crate) random: fn() -> f64,
    webhooks: Arc<CachedSecret<Webhooks>>,
    shared: Arc<Shared>,
}

/// What the tasks of a batch, one for each delivery, use together.
struct Shared {
    exchange: Exchange,
    clock: SharedClock,
    lanes: Lanes,
    random: fn() -> f64,
}

impl<Q: Queue> Handler<Q> {
    /// A handler that posts to `webhooks` through `exchange`.
    pub fn new(
        queue: Q,
        exchange: Exchange,
        webhooks: Arc<CachedSecret<Webhooks>>,
        clock: SharedClock,
    ) -> Self {
        let random = fastrand::f64;
        let shared = Shared { exchange, clock: clock.clone(), lanes: Lanes::default(), random };
        Self { queue, clock, random, webhooks, shared: Arc::new(shared) }
    }

    /// Reads the secret before the first message. What is wrong with it is logged; messages wait until it is
    /// mended.
    pub async fn prepare(&self) {
        if let Err(error) = self.webhooks.get().await {
            tracing::error!(error = %Chain(&error), "The webhooks secret cannot be used; messages wait.");
        }
    }

    /// Brings every message to its end and returns the ids of those for which even the queue failed: they
    /// shall be handed out again.
    pub async fn handle(&self, mut batch: Vec<Received>) -> Vec<String> {
        let webhooks = match self.webhooks.get().await {
            Ok(webhooks) => webhooks,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "The webhooks secret cannot be used; messages wait.");
                return self.put_all_back(batch).await;
            }
        };
        let started = self.clock.now();
        let plan = plan(&mut batch, &webhooks, started);
        let tasks: Vec<_> = plan
            .deliveries
            .iter()
            .map(|delivery| {
                let (shared, webhooks) = (self.shared.clone(), webhooks.clone());
                let (index, payload) = (delivery.webhook, delivery.payload.clone());
                tokio::spawn(async move { shared.deliver(&webhooks, index, &payload).await })
            })
            .collect();
        let mut endings = Vec::with_capacity(tasks.len());
        for task in tasks {
            // A task that panicked fails its own delivery, for now; it is tried again later.
            let panicked = Ending::Tried(Outcome::Retry { failure: Failure::Panic, after: None });
            endings.push(task.await.unwrap_or(panicked));
        }
        if endings.iter().any(Ending::is_unauthorized) {
            // Its headers or its secret may be new; what comes next shall go with them.
            let _ = self.webhooks.refreshed().await;
        }
        self.settle(batch, &plan, endings, &webhooks, started).await
    }
}

impl Shared {
    async fn deliver(&self, webhooks: &Webhooks, index: usize, payload: &Payload) -> Ending {
        let webhook = &webhooks.webhooks[index];
        let lane = self.lanes.of(&webhook.name);
        let Some(_place) = lane.place().await else { return Ending::Busy };
        if let Permit::Wait(wait) = lane.permit(self.clock.now()) {
            return Ending::Held(wait);
        }
        let headers = payload.headers(webhook, self.clock.now());
        let outcome = self.exchange.post(&webhook.url, headers, payload.body.clone()).await;
        lane.learn(&outcome, self.clock.now(), (self.random)());
        Ending::Tried(outcome)
    }
}
