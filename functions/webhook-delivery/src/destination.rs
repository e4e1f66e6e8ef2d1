//! The webhooks as a destination. Each request is a separate group.

use std::{sync::Arc, time::Duration};

use delivery::{
    Attempt, Breakers, Call, Destination, Failure, Group, Item, Limits, Outcome, Outcomes, Permit, Plan,
    Retries, Window,
};
use futures_util::future::join_all;
use platform::{
    clock::SharedClock,
    queue::Received,
    secrets::CachedSecret,
    telemetry::Chain,
    topic::{Attributes, for_webhooks},
};
use segment::{Message, json, split_within};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    exchange::{Answer, DEADLINE, Exchange},
    lane::Lanes,
    payload::{Outgoing, Payload},
    webhooks::{Success, Webhook, Webhooks},
};

/// The attribute with the name of the one webhook that a message is for. Without it, the message is for all
/// webhooks.
pub const WEBHOOK: &str = "webhook";

/// The breaker opens after five failures in a row, which is at most half of the requests that may be under
/// way.
const BREAKER: Limits = Limits {
    threshold: 5,
    first_pause: Duration::from_secs(5),
    longest_pause: Duration::from_secs(60),
    probe_time: DEADLINE.saturating_add(Duration::from_secs(1)),
};

/// The longest wait before the first retry.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// The longest wait of a message that has no fault itself: no request slot was free, or the secret could not
/// be read.
const SHORT_WAIT: Duration = Duration::from_secs(30);

/// The most bytes of messages in a batch. A batch must fit into a queue as one message with its attributes:
/// 256 KB where SQS does not yet take more.
const MAX_BATCH_BYTES: usize = 240 * 1024;

/// Posts messages to webhooks.
pub struct WebhookDestination {
    webhooks: Arc<CachedSecret<Webhooks>>,
    exchange: Exchange,
    clock: SharedClock,
    lanes: Lanes,
    breakers: Breakers,
    shows_requests: bool,
}

/// A request to one webhook, or to several of which one must succeed.
pub struct Target {
    settings: Arc<Webhooks>,
    /// The indexes of the webhooks in the settings.
    webhooks: Vec<usize>,
    payload: Arc<Payload>,
}

/// The messages in one message of the queue: several if an earlier batch failed.
type Messages = Vec<Outgoing>;

impl WebhookDestination {
    /// Returns a destination that posts to `webhooks` through `exchange`.
    pub fn new(exchange: Exchange, webhooks: Arc<CachedSecret<Webhooks>>, clock: SharedClock) -> Self {
        let (lanes, breakers) = (Lanes::default(), Breakers::new(BREAKER, clock.clone()));
        Self { webhooks, exchange, clock, lanes, breakers, shows_requests: false }
    }

    /// Includes the request in the report of each attempt.
    #[must_use]
    pub fn with_requests_shown(self) -> Self {
        Self { shows_requests: true, ..self }
    }

    /// Returns the current settings. Also call it before the first message, to read them. A problem with the
    /// settings is logged, and messages wait until it is fixed.
    pub async fn settings(&self) -> Option<Arc<Webhooks>> {
        let read = self.webhooks.get().await;
        read.inspect_err(|error| {
            tracing::error!(error = %Chain(error), "The webhooks secret cannot be used; messages wait.");
        })
        .ok()
    }

    /// Makes one request.
    async fn post(&self, webhook: &Webhook, payload: &Payload) -> Attempt {
        let outcome = |outcome| Attempt::without_call(&*webhook.name, Outcomes::All(outcome));
        let lane = self.lanes.of(&webhook.name);
        let Some(place) = lane.acquire().await else {
            let failure = Failure::new("busy", "too many requests to the webhook are under way");
            return outcome(Outcome::Postponed { failure, wait: SHORT_WAIT.mul_f64(fastrand::f64()) });
        };
        if let Permit::Wait(wait) = self.breakers.permit(&webhook.name) {
            return outcome(Outcome::Held(wait));
        }
        let (began, stopwatch) = (self.clock.now(), Instant::now());
        let headers = payload.headers(webhook, began);
        // Signing again only to show the request would cost as much as the first time.
        let request = self.shows_requests.then(|| payload.request(webhook, &headers));
        let Answer { outcome, status } =
            self.exchange.post(&webhook.url, headers, payload.body.clone()).await;
        let call = Call { began, took: stopwatch.elapsed(), status, request };
        self.breakers.record(&webhook.name, [&outcome]);
        drop(place);
        if status == Some(401) {
            // The webhook's headers or secret may have changed. Later attempts use the new ones.
            let _ = self.webhooks.refreshed().await;
        }
        Attempt::with_call(&*webhook.name, Outcomes::All(outcome), call)
    }
}

impl Destination for WebhookDestination {
    type Message = Messages;
    type Target = Target;

    fn wants(attributes: &Attributes) -> bool {
        for_webhooks(attributes)
    }

    fn decode(&self, received: &Received) -> Result<Messages, Failure> {
        let body = &received.body;
        if !received.attributes.contains_key(WEBHOOK) || !body.starts_with('[') {
            let message = Message::from_stored(body).map_err(Failure::invalid)?;
            return Ok(vec![Outgoing::new(&message)]);
        }
        // Each message may have as many levels as a message by itself.
        let (batch, _) = json::parse_items(body.as_bytes(), &[], usize::MAX).map_err(Failure::invalid)?;
        let members = match batch {
            Value::Array(members) if !members.is_empty() => members,
            _ => return Err(Failure::invalid("the batch is empty")),
        };
        let message = |member| match member {
            Value::Object(object) => {
                let message = Message::from_object(object).map_err(Failure::invalid)?;
                Ok(Outgoing::new(&message))
            }
            _ => Err(Failure::invalid("a member of the batch is not an object")),
        };
        members.into_iter().map(message).collect()
    }

    fn message_ids(messages: &Messages) -> Vec<&str> {
        messages.iter().map(|message| message.message_id.as_deref().unwrap_or_default()).collect()
    }

    async fn plan(&self, batch: Vec<Arc<Item<Messages>>>) -> Plan<Self> {
        match self.settings().await {
            Some(settings) => plan(&settings, batch),
            None => {
                let failure =
                    Failure::new("secret_unavailable", "the secret of the webhooks could not be read");
                let waits = Outcome::Postponed { failure, wait: SHORT_WAIT };
                let settled = batch.into_iter().map(|item| (item, waits.clone())).collect();
                Plan { groups: Vec::new(), settled, retries: retries(Duration::ZERO) }
            }
        }
    }

    async fn attempt(&self, group: &Group<Self>) -> Attempt {
        let Target { settings, webhooks, payload } = &group.target;
        let posts = webhooks.iter().map(|index| self.post(&settings.webhooks[*index], payload));
        let mut attempts = join_all(posts).await;
        let best = (0..attempts.len()).min_by_key(|index| rank(&attempts[*index])).unwrap_or_default();
        let best = attempts.swap_remove(best);
        Attempt { other_attempts: attempts, ..best }
    }
}

/// Ranks attempts: first a success, then the webhook that may be called again soonest.
fn rank(attempt: &Attempt) -> (u8, Duration) {
    let Outcomes::All(outcome) = &attempt.outcomes else { return (3, Duration::ZERO) };
    match outcome {
        Outcome::Delivered | Outcome::Ignored(_) => (0, Duration::ZERO),
        Outcome::Retry { after, .. } => (1, after.unwrap_or_default()),
        Outcome::Held(wait) => (1, *wait),
        Outcome::Postponed { .. } => (1, SHORT_WAIT),
        Outcome::Refused(_) | Outcome::Rejected(_) => (2, Duration::ZERO),
    }
}

fn retries(window: Duration) -> Retries {
    Retries { first_wait: FIRST_WAIT, window: Window::FromFirstAttempt(window) }
}

fn plan(settings: &Arc<Webhooks>, batch: Vec<Arc<Item<Messages>>>) -> Plan<WebhookDestination> {
    let (mut groups, mut settled, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    for item in batch {
        let Some(name) = item.received.attributes.get(WEBHOOK) else {
            fresh.push(item);
            continue;
        };
        match settings.webhooks.iter().position(|webhook| webhook.name == *name) {
            Some(index) => groups.push(request(settings, vec![index], vec![item], None)),
            None => {
                let failure = Failure::new(
                    "no_webhook",
                    "no webhook with that name is configured; add it again, or purge the message",
                );
                settled.push((item, Outcome::Rejected(failure)));
            }
        }
    }
    for item in &fresh {
        if !settings.webhooks.iter().any(|webhook| wants(webhook, item)) {
            settled.push((item.clone(), Outcome::Ignored("no_webhook_wants_it")));
        }
    }
    groups.extend(match settings.success {
        Success::All => for_all(settings, &fresh),
        Success::Any => for_any(settings, fresh),
    });
    Plan { groups, settled, retries: retries(settings.window) }
}

/// Plans requests for new messages. Each webhook gets the messages that it wants, as batches or one by one.
fn for_all(settings: &Arc<Webhooks>, fresh: &[Arc<Item<Messages>>]) -> Vec<Group<WebhookDestination>> {
    let mut groups = Vec::new();
    // The payload of a single message is built once, however many webhooks get it.
    let mut payloads: Vec<Option<Arc<Payload>>> = vec![None; fresh.len()];
    for (index, webhook) in settings.webhooks.iter().enumerate() {
        let wanted = fresh.iter().zip(&mut payloads).filter(|(item, _)| wants(webhook, item));
        if !webhook.takes_batches() {
            for (item, payload) in wanted {
                let group = request(settings, vec![index], vec![item.clone()], payload.clone());
                *payload = Some(group.target.payload.clone());
                groups.push(group);
            }
            continue;
        }
        let wanted: Vec<_> = wanted.map(|(item, _)| item.clone()).collect();
        let sizes = wanted.iter().map(|item| item.message[0].json.len() + 1);
        for run in split_within(sizes, webhook.batch_size, MAX_BATCH_BYTES) {
            groups.push(request(settings, vec![index], wanted[run].to_vec(), None));
        }
    }
    groups
}

/// Plans requests as Segment's classic destination does: the first success of any webhook settles a message.
/// If none succeeds, the message goes to all of them again.
fn for_any(settings: &Arc<Webhooks>, fresh: Vec<Arc<Item<Messages>>>) -> Vec<Group<WebhookDestination>> {
    let group = |item: Arc<Item<Messages>>| {
        let webhooks = settings.webhooks.iter().enumerate();
        let wanting: Vec<usize> =
            webhooks.filter(|(_, webhook)| wants(webhook, &item)).map(|(index, _)| index).collect();
        let mut group = (!wanting.is_empty()).then(|| request(settings, wanting, vec![item], None))?;
        group.target_attribute = None;
        Some(group)
    };
    fresh.into_iter().filter_map(group).collect()
}

/// Returns a request with these messages. A message that was sent before is sent again in the same form:
/// alone or in its batch.
fn request(
    settings: &Arc<Webhooks>,
    webhooks: Vec<usize>,
    items: Vec<Arc<Item<Messages>>>,
    payload: Option<Arc<Payload>>,
) -> Group<WebhookDestination> {
    let webhook = &settings.webhooks[webhooks[0]];
    let messages: Vec<&Outgoing> = items.iter().flat_map(|item| &item.message).collect();
    let payload = payload.unwrap_or_else(|| {
        let secrets = &settings.shared_secrets;
        Arc::new(match messages[..] {
            [message] if !webhook.takes_batches() => Payload::of_message(message, secrets),
            _ => Payload::of_batch(messages, secrets),
        })
    });
    Group {
        target_attribute: Some((WEBHOOK, webhook.name.clone())),
        join: Some(join),
        ..Group::new(Target { settings: settings.clone(), webhooks, payload }, items)
    }
}

fn wants(webhook: &Webhook, item: &Item<Messages>) -> bool {
    webhook.wants(item.message[0].message_type)
}

fn join(messages: &[&Messages]) -> String {
    let texts: Vec<&str> = messages.iter().copied().flatten().map(|message| message.json.as_str()).collect();
    format!("[{}]", texts.join(","))
}
