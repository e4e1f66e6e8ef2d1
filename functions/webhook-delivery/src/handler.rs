//! One batch from the queue: plan, attempt all deliveries at once, settle.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use platform::{
    attempt::{Attempt, End, Failed, Request, Watcher},
    breaker::Permit,
    clock::SharedClock,
    filter,
    queue::{Queue, Received},
    secrets::CachedSecret,
    telemetry::Chain,
    topic::for_webhooks,
};
use tokio::time::Instant;

use crate::{
    config::{Webhook, Webhooks},
    exchange::{Answer, Exchange},
    lane::Lanes,
    outcome::{Failure, Outcome},
    payload::Payload,
    plan::{Delivery, Plan, plan},
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
    watcher: Watcher,
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
        Self { queue, clock, random, webhooks, shared: Arc::new(shared), watcher: Watcher::default() }
    }

    /// The same, and `watcher` is told of each attempt.
    #[must_use]
    pub fn with_watcher(self, watcher: Watcher) -> Self {
        Self { watcher, ..self }
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
        filter::drop_unwanted(&mut batch, for_webhooks);
        let webhooks = match self.webhooks.get().await {
            Ok(webhooks) => webhooks,
            Err(error) => {
                tracing::error!(error = %Chain(&error), "The webhooks secret cannot be used; messages wait.");
                return self.put_all_back(batch).await;
            }
        };
        let started = self.clock.steady();
        let plan = plan(&mut batch, &webhooks, started);
        let tasks: Vec<_> = plan
            .deliveries
            .iter()
            .map(|delivery| {
                let (shared, webhooks) = (self.shared.clone(), webhooks.clone());
                let (index, payload) = (delivery.webhook, delivery.payload.clone());
                let news =
                    News { watcher: self.watcher.clone(), message_ids: self.message_ids(&plan, delivery) };
                tokio::spawn(async move { shared.deliver(&webhooks, index, &payload, news).await })
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

    /// The ids of a delivery's messages, where anybody wants to know.
    fn message_ids(&self, plan: &Plan, delivery: &Delivery) -> Vec<String> {
        if !self.watcher.is_watching() {
            return Vec::new();
        }
        let messages = delivery.items.iter().flat_map(|item| &plan.messages[*item]);
        messages.map(|message| message.message_id.clone().unwrap_or_default()).collect()
    }
}

impl Shared {
    async fn deliver(&self, webhooks: &Webhooks, index: usize, payload: &Payload, news: News) -> Ending {
        let webhook = &webhooks.webhooks[index];
        let lane = self.lanes.of(&webhook.name);
        let Some(_place) = lane.place().await else { return Ending::Busy };
        if let Permit::Wait(wait) = lane.permit(self.clock.steady()) {
            return Ending::Held(wait);
        }
        let (began, stopwatch) = (self.clock.now(), Instant::now());
        let headers = payload.headers(webhook, began);
        // Signing again, only to tell of it, would cost as much as the first time.
        let request = news.watcher.is_watching().then(|| payload.request(webhook, &headers));
        let Answer { outcome, status } =
            self.exchange.post(&webhook.url, headers, payload.body.clone()).await;
        news.tell(webhook, request, began, stopwatch.elapsed(), status, &outcome);
        lane.learn(&outcome, self.clock.steady(), (self.random)());
        Ending::Tried(outcome)
    }
}

/// Whom to tell of a delivery, and which messages it holds.
struct News {
    watcher: Watcher,
    message_ids: Vec<String>,
}

impl News {
    fn tell(
        self,
        webhook: &Webhook,
        request: Option<Request>,
        began: Timestamp,
        took: Duration,
        status: Option<u16>,
        outcome: &Outcome,
    ) {
        let failure = match outcome {
            Outcome::Delivered => None,
            Outcome::Retry { failure, .. } | Outcome::Rejected(failure) => Some(failure),
        };
        let failure = failure.map(|failure| Failed { code: failure.code(), reason: failure.to_string() });
        let end = |message_id| End { message_id, status, failure: failure.clone() };
        self.watcher.tell(|| Attempt {
            destination: webhook.name.clone(),
            began,
            took,
            request,
            ends: self.message_ids.into_iter().map(end).collect(),
        });
    }
}
