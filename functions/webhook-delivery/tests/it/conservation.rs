//! The [conservation test](testkit::conserves) with one to five webhooks. Each fails by its own plan, in
//! every way it can; its name may not resolve, and its certificate may be wrong.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fastrand::Rng;
use platform::{clock::HeldClock, sqlite::Store, topic::Attributes};
use segment::{Message, MessageType};
use serde_json::{Value, json};
use testkit::{Accepted, FaultSwitch, Request, StoredSecret, Subject, Unit};
use webhook_delivery::{Exchange, Options, Success, WebhookDestination, Webhooks, stringify};

use crate::{
    receivers::{Names, Receiver},
    support, tls,
};

/// Long enough for an exchange on the loopback, short enough for many timeouts.
const DEADLINE: Duration = Duration::from_millis(70);

#[test]
fn every_webhook_gets_every_wanted_message_unchanged_or_it_is_a_dead_letter() {
    testkit::conserves::<Receivers>(60);
}

struct Receivers {
    receivers: Vec<Receiver>,
    webhooks: Webhooks,
    secret: StoredSecret,
    exchange: Exchange,
}

impl Subject for Receivers {
    type Destination = WebhookDestination;

    async fn start(fault_switch: &FaultSwitch, clock: &Arc<HeldClock>, random: &mut Rng) -> Self {
        let mut receivers = Vec::new();
        for index in 0..random.usize(1..=5) {
            receivers.push(Receiver::start(index, fault_switch, random).await);
        }
        let settings = settings(&receivers, random).to_string();
        let exchange = Exchange::with(Options {
            allow_private: true,
            resolver: Names::failing_in(fault_switch, random.fork()),
            roots: tls::roots(),
            deadline: DEADLINE,
            clock: clock.clone(),
        });
        let webhooks = Webhooks::parse(&settings).unwrap();
        Self { receivers, webhooks, secret: StoredSecret::new(settings), exchange: exchange.unwrap() }
    }

    fn destination(&self, _: &Store, clock: &Arc<HeldClock>) -> WebhookDestination {
        support::destination(&self.exchange, &self.secret, clock)
    }

    /// Returns a message of any type. A message that can never be delivered is cut off.
    fn message(&self, id: &str, random: &mut Rng) -> String {
        if id.starts_with("never") {
            return format!(r#"{{"type":"track","messageId":"{id}""#);
        }
        let kind = match random.choice(MessageType::ALL).unwrap().as_str() {
            "track" => r#""type":"track","event":"e""#.to_owned(),
            "alias" => r#""type":"alias","previousId":"p""#.to_owned(),
            "group" => r#""type":"group","groupId":"g""#.to_owned(),
            kind => format!(r#""type":"{kind}""#),
        };
        format!(r#"{{{kind},{},"messageId":"{id}","userId":"u"}}"#, testkit::members_to_spoil(random))
    }

    fn wanted(&self, accepted: &Accepted) -> BTreeSet<Unit> {
        let good = accepted.iter().filter(|(id, _)| id.starts_with("good"));
        let units = good.flat_map(|(id, body)| {
            let message_type = message(body).message_type();
            let webhooks = self.webhooks.webhooks.iter().enumerate();
            let wanting = webhooks.filter(move |(_, webhook)| webhook.wants(message_type));
            wanting.map(|(place, _)| (id.clone(), place))
        });
        units.collect()
    }

    fn arrived(&self, accepted: &Accepted) -> BTreeSet<Unit> {
        let mut arrived = BTreeSet::new();
        for (place, receiver) in self.receivers.iter().enumerate() {
            for request in receiver.fake.requests() {
                let ids = self.check(&request, place, accepted);
                arrived.extend(ids.into_iter().filter(|_| request.taken).map(|id| (id, place)));
            }
        }
        arrived
    }

    fn dead_letter_place(&self, id: &str, attributes: &Attributes) -> usize {
        if id.starts_with("never") {
            assert_eq!(attributes["failure"], "invalid");
            return 0;
        }
        let place = attributes
            .get("webhook")
            .map(|name| self.webhooks.webhooks.iter().position(|webhook| webhook.name == *name).unwrap());
        assert_eq!(place.is_none(), self.one_place_is_enough());
        match attributes["failure"].as_str() {
            "client_error" => {
                assert_eq!(attributes["status"], "410");
                let mut receivers = self.receivers.iter().enumerate();
                assert!(
                    receivers.any(|(index, one)| one.refuses && place.is_none_or(|place| place == index)),
                    "{attributes:?}"
                );
            }
            _ => testkit::assert_expired(attributes, self.webhooks.window),
        }
        place.unwrap_or_default()
    }

    fn one_place_is_enough(&self) -> bool {
        self.webhooks.success == Success::Any
    }
}

impl Receivers {
    /// Checks that the messages of a request are unchanged, and returns their ids.
    fn check(&self, request: &Request, place: usize, accepted: &Accepted) -> Vec<String> {
        let webhook = &self.webhooks.webhooks[place];
        let ids = match request.json() {
            Value::Array(members) => members.iter().map(id).collect(),
            message => vec![id(&message)],
        };
        let bodies: Vec<String> =
            ids.iter().map(|id| stringify::of_message(&message(&accepted[id]))).collect();
        let expected =
            if webhook.takes_batches() { format!("[{}]", bodies.join(",")) } else { bodies.concat() };
        assert_eq!(request.body, expected, "it was changed");
        assert!((1..=webhook.batch_size).contains(&ids.len()), "{} messages in a request", ids.len());
        assert_eq!(request.line, "POST /hook");
        ids
    }
}

fn settings(receivers: &[Receiver], random: &mut Rng) -> Value {
    let any = random.u8(..) < 50;
    let webhooks = receivers.iter().map(|receiver| {
        let mut webhook = json!({ "url": receiver.url });
        if random.u8(..) < 80 {
            let count = random.usize(1..7);
            let types = random.choose_multiple(MessageType::ALL, count);
            webhook["types"] = types.into_iter().map(|one| one.as_str()).collect();
        }
        if !any && random.u8(..) < 100 {
            webhook["batchSize"] = random.u32(2..8).into();
        }
        webhook
    });
    let webhooks: Vec<Value> = webhooks.collect();
    let success = if any { "any" } else { "all" };
    let hours = [0.0, 0.05, 0.5, 4.0, 4.0][random.usize(..5)];
    json!({ "webhooks": webhooks, "success": success, "retryHours": hours, "sharedSecret": "shared" })
}

fn message(body: &str) -> Message {
    Message::from_json(body.as_bytes()).unwrap()
}

fn id(message: &Value) -> String {
    message["messageId"].as_str().unwrap().to_owned()
}
