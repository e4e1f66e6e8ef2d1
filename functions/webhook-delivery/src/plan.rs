//! What is to be sent where: from the queue's messages to deliveries.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use platform::{history, queue::Received};
use segment::{Message, json};
use serde_json::Value;

use crate::{
    config::{Webhook, Webhooks},
    outcome::Failure,
    payload::{Outgoing, Payload},
};

/// The attribute that names the one webhook a message is still for. Absent means all of them.
pub const WEBHOOK: &str = "webhook";

/// The most bytes of messages in a batch. It must fit into a queue as one message, attributes included: 256 KB
/// where SQS does not yet take more.
const MAX_BATCH_BYTES: usize = 240 * 1024;

/// One request to one webhook.
pub(crate) struct Delivery {
    /// The webhook, by its index.
    pub webhook: usize,
    /// The messages of the queue that it is for, by their indexes.
    pub items: Vec<usize>,
    /// What is sent.
    pub payload: Arc<Payload>,
}

/// A message of the queue that needs no attempt now.
pub(crate) enum Settled {
    /// It is not due for this long.
    Early(Duration),
    /// It can never be sent.
    Dead(Failure),
    /// No webhook wants it.
    Unwanted,
}

/// The deliveries, and what needs none.
#[derive(Default)]
pub(crate) struct Plan {
    pub deliveries: Vec<Delivery>,
    pub settled: Vec<(usize, Settled)>,
    /// The messages in each of the queue's, which are many where an earlier batch failed.
    pub messages: Vec<Vec<Outgoing>>,
    /// When each of the queue's messages entered it first.
    pub entered: Vec<Timestamp>,
}

/// Plans a batch of the queue's messages.
pub(crate) fn plan(batch: &mut [Received], webhooks: &Webhooks, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    let mut fresh = Vec::new();
    for (item, received) in batch.iter_mut().enumerate() {
        history::received(&mut received.attributes, now);
        plan.entered.push(history::entered(&mut received.attributes, received.sent_at));
        let name = received.attributes.get(WEBHOOK);
        let decoded = match history::not_yet_due(&received.attributes, now) {
            Some(wait) => Err(Settled::Early(wait)),
            None => contained(&received.body, name.is_some()).map_err(Settled::Dead),
        };
        plan.messages.push(Vec::new());
        match (decoded, name) {
            (Err(settled), _) => plan.settled.push((item, settled)),
            (Ok(messages), None) => {
                plan.messages[item] = messages;
                fresh.push(item);
            }
            (Ok(messages), Some(name)) => {
                match webhooks.webhooks.iter().position(|webhook| webhook.name == *name) {
                    Some(webhook) => {
                        let payload = Arc::new(payload(&messages, &webhooks.webhooks[webhook], webhooks));
                        plan.deliveries.push(Delivery { webhook, items: vec![item], payload });
                    }
                    None => plan.settled.push((item, Settled::Dead(Failure::NoWebhook))),
                }
                plan.messages[item] = messages;
            }
        }
    }
    plan.fan_out(&fresh, webhooks);
    plan
}

impl Plan {
    /// Fresh messages go to every webhook that wants their type.
    fn fan_out(&mut self, fresh: &[usize], webhooks: &Webhooks) {
        let mut unwanted = fresh.to_vec();
        let mut single: Vec<Option<Arc<Payload>>> = vec![None; self.messages.len()];
        for (index, webhook) in webhooks.webhooks.iter().enumerate() {
            let wants = |item: &usize| webhook.wants(self.messages[*item][0].message_type);
            let items: Vec<usize> = fresh.iter().copied().filter(wants).collect();
            unwanted.retain(|item| !items.contains(item));
            if webhook.takes_batches() {
                let sizes = items.iter().map(|item| self.messages[*item][0].json.len() + 1);
                for run in segment::split_within(sizes, webhook.batch_size, MAX_BATCH_BYTES) {
                    let items = items[run].to_vec();
                    let messages = items.iter().map(|item| &self.messages[*item][0]);
                    let payload = Arc::new(Payload::of_batch(messages, &webhooks.shared_secrets));
                    self.deliveries.push(Delivery { webhook: index, items, payload });
                }
                continue;
            }
            for item in items {
                // Made once, however many webhooks get it.
                let payload = single[item].get_or_insert_with(|| {
                    Arc::new(Payload::of_message(&self.messages[item][0], &webhooks.shared_secrets))
                });
                let payload = payload.clone();
                self.deliveries.push(Delivery { webhook: index, items: vec![item], payload });
            }
        }
        self.settled.extend(unwanted.into_iter().map(|item| (item, Settled::Unwanted)));
    }
}

/// What was sent before is sent again: a message as a message, a batch as a batch.
fn payload(messages: &[Outgoing], webhook: &Webhook, webhooks: &Webhooks) -> Payload {
    match messages {
        [message] if !webhook.takes_batches() => Payload::of_message(message, &webhooks.shared_secrets),
        messages => Payload::of_batch(messages, &webhooks.shared_secrets),
    }
}

/// Reads the body and checks it again; a panic in that fails this message alone.
fn contained(body: &str, may_be_a_batch: bool) -> Result<Vec<Outgoing>, Failure> {
    catch_unwind(AssertUnwindSafe(|| decode(body, may_be_a_batch))).unwrap_or(Err(Failure::Panic))
}

fn decode(body: &str, may_be_a_batch: bool) -> Result<Vec<Outgoing>, Failure> {
    let invalid = |error: &dyn std::fmt::Display| Failure::Invalid(error.to_string());
    if !may_be_a_batch || !body.starts_with('[') {
        let message = Message::from_json(body.as_bytes()).map_err(|error| invalid(&error))?;
        return Ok(vec![Outgoing::new(&message)]);
    }
    // Each message has all the levels that one by itself has.
    let (batch, _) = json::parse_items(body.as_bytes(), &[], usize::MAX).map_err(|error| invalid(&error))?;
    let members = match batch {
        Value::Array(members) if !members.is_empty() => members,
        _ => return Err(invalid(&"the batch is empty")),
    };
    let message = |member| match member {
        Value::Object(object) => match Message::from_object(object) {
            Ok(message) => Ok(Outgoing::new(&message)),
            Err(error) => Err(invalid(&error)),
        },
        _ => Err(invalid(&"a member of the batch is not an object")),
    };
    members.into_iter().map(message).collect()
}
