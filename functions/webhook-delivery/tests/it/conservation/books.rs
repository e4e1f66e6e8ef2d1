//! What was accepted against what arrived and what was parked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use segment::{Message, timestamp};
use serde_json::Value;
use testkit::Request;
use webhook_delivery::{Success, Webhooks, body};

use super::Receiver;
use crate::support::World;

pub struct Books<'a> {
    world: &'a World,
    receivers: &'a [Receiver],
    webhooks: Webhooks,
    /// Everything that was accepted, by id.
    accepted: &'a BTreeMap<String, String>,
    /// What of it can be sent, by id.
    messages: BTreeMap<&'a str, Message>,
}

/// A message, by its id, and a webhook, by its place.
type Pair = (String, usize);

impl<'a> Books<'a> {
    pub fn of(
        world: &'a World,
        receivers: &'a [Receiver],
        settings: &Value,
        accepted: &'a BTreeMap<String, String>,
    ) -> Self {
        let webhooks = Webhooks::parse(&settings.to_string()).unwrap();
        let messages = accepted.iter().filter(|(id, _)| id.starts_with("good"));
        let messages = messages.map(|(id, body)| (id.as_str(), Message::from_json(body.as_bytes()).unwrap()));
        Self { world, receivers, webhooks, accepted, messages: messages.collect() }
    }

    pub async fn balance(&self) {
        assert_eq!(self.world.queue.depth().await.unwrap(), 0);
        let (delivered, parked) = (self.delivered(), self.parked().await);
        match self.webhooks.success {
            Success::All => {
                for pair in self.wanted() {
                    assert!(delivered.contains(&pair) || parked.contains(&pair), "{pair:?} is lost");
                }
            }
            Success::Any => self.some_webhook_took_it(&(&delivered | &parked)),
        }
    }

    /// All is well, so nothing is parked but what can never be sent.
    pub async fn balance_after_redrive(&self) {
        assert_eq!(self.world.queue.depth().await.unwrap(), 0);
        let delivered = self.delivered();
        match self.webhooks.success {
            Success::All => assert_eq!(delivered, self.wanted()),
            Success::Any => self.some_webhook_took_it(&delivered),
        }
        for (body, attributes) in self.world.dead_letters().await {
            assert_eq!(attributes["failure"], "invalid", "{body}: {attributes:?}");
        }
    }

    fn some_webhook_took_it(&self, ended: &BTreeSet<Pair>) {
        let ended: BTreeSet<&String> = ended.iter().map(|(id, _)| id).collect();
        for (id, _) in self.wanted() {
            assert!(ended.contains(&id), "{id} is lost");
        }
    }

    /// Every pair that there must be, and no other may be.
    fn wanted(&self) -> BTreeSet<Pair> {
        let webhooks = || self.webhooks.webhooks.iter().enumerate();
        let pairs = self.messages.iter().flat_map(|(id, message)| {
            let wanting = webhooks().filter(|(_, webhook)| webhook.wants(message.message_type()));
            wanting.map(|(index, _)| ((*id).to_owned(), index))
        });
        pairs.collect()
    }

    /// What the webhooks took, after a look at every request, taken or not.
    fn delivered(&self) -> BTreeSet<Pair> {
        let mut delivered = BTreeSet::new();
        for (index, receiver) in self.receivers.iter().enumerate() {
            for request in receiver.fake.requests() {
                let ids = self.check(&request, index);
                if request.taken {
                    delivered.extend(ids.into_iter().map(|id| (id, index)));
                }
            }
        }
        delivered
    }

    /// Checks that each message in the request was accepted, is wanted, and is what it was.
    fn check(&self, request: &Request, index: usize) -> Vec<String> {
        let webhook = &self.webhooks.webhooks[index];
        let ids = ids(&request.json());
        let mut bodies = Vec::new();
        for id in &ids {
            let message = self.messages.get(id.as_str()).unwrap_or_else(|| panic!("{id} is invented"));
            assert!(webhook.wants(message.message_type()), "{id} is not wanted by webhook {index}");
            bodies.push(body::of_message(message));
        }
        let expected =
            if webhook.takes_batches() { format!("[{}]", bodies.join(",")) } else { bodies.concat() };
        assert_eq!(request.body, expected, "it was changed");
        assert!((1..=webhook.batch_size).contains(&ids.len()), "{} messages in a request", ids.len());
        assert_eq!(request.line, "POST /hook");
        ids
    }

    /// What lies in the dead-letter queue, each with a reason that it can have.
    async fn parked(&self) -> BTreeSet<Pair> {
        let mut parked = BTreeSet::new();
        let mut broken = BTreeSet::new();
        for (body, attributes) in self.world.dead_letters().await {
            if attributes["failure"] == "invalid" {
                broken.insert(body);
                continue;
            }
            let named = |name: &String| self.webhooks.webhooks.iter().position(|one| one.name == *name);
            let webhook = attributes.get("webhook").map(|name| named(name).unwrap());
            assert_eq!(webhook.is_none(), self.webhooks.success == Success::Any);
            self.check_reason(webhook, &attributes);
            let json: Value = serde_json::from_str(&body).unwrap();
            let members = match &json {
                Value::Array(members) => members.iter().collect(),
                message => vec![message],
            };
            for (id, member) in ids(&json).into_iter().zip(members) {
                assert_eq!(self.accepted.get(&id), Some(&member.to_string()), "{id} was changed");
                parked.insert((id, webhook.unwrap_or_default()));
            }
        }
        let never: BTreeSet<String> = self
            .accepted
            .iter()
            .filter(|(id, _)| id.starts_with("broken"))
            .map(|(_, body)| body.clone())
            .collect();
        assert_eq!(broken, never, "what can never be sent is parked, and nothing else for that reason");
        parked
    }

    fn check_reason(&self, webhook: Option<usize>, attributes: &platform::topic::Attributes) {
        let mut receivers = match webhook {
            Some(index) => self.receivers[index..=index].iter(),
            None => self.receivers.iter(),
        };
        match attributes["failure"].as_str() {
            "client_error" => {
                assert_eq!(attributes["status"], "410");
                assert!(receivers.any(|receiver| receiver.refuses), "{attributes:?}");
            }
            "expired" => {
                let time = |name: &str| timestamp::parse(&Value::String(attributes[name].clone())).unwrap();
                let tried = time("failedAt").duration_since(time("since")).unsigned_abs();
                // It is written down to the millisecond.
                assert!(tried + Duration::from_millis(1) >= self.webhooks.window, "{attributes:?}");
            }
            _ => panic!("no reason to give up: {attributes:?}"),
        }
    }
}

fn ids(json: &Value) -> Vec<String> {
    let id = |message: &Value| message["messageId"].as_str().unwrap().to_owned();
    match json {
        Value::Array(members) => members.iter().map(id).collect(),
        message => vec![id(message)],
    }
}
