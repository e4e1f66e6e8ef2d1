use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use platform::{
    clock::HeldClock,
    queue::{MAX_DELAY, Place, QueueError},
    secrets::{CachedSecret, StaticSecret},
};
use proptest::{prelude::*, sample::select};
use segment::{MessageType, Secret};
use serde_json::{Value, json};

use super::*;
use crate::{
    Exchange,
    outcome::Outcome,
    plan::{WEBHOOK, plan},
};

/// The webhook that an entry is for and that is not configured any more.
const GONE: &str = "gone.example/00000000";

/// A queue that notes what it is asked for. Some of the replacements fail.
#[derive(Default)]
struct Noting {
    replacements: Mutex<Vec<Replacement>>,
    failing: Vec<bool>,
}

impl Queue for Noting {
    async fn replace(&self, replacements: Vec<Replacement>) -> Vec<Result<(), QueueError>> {
        let fails = |index: usize| self.failing.get(index).copied().unwrap_or_default();
        let results = (0..replacements.len()).map(|index| match fails(index) {
            true => Err(QueueError("down".into())),
            false => Ok(()),
        });
        let results = results.collect();
        *self.replacements.lock().unwrap() = replacements;
        results
    }
}

fn now() -> Timestamp {
    "2026-11-21T04:00:00Z".parse().unwrap()
}

fn handler(queue: Noting) -> Handler<Noting> {
    static CLOCK: LazyLock<Arc<HeldClock>> = LazyLock::new(|| HeldClock::at(now()));
    static EXCHANGE: LazyLock<Exchange> = LazyLock::new(|| Exchange::new(true, CLOCK.clone()).unwrap());
    let secret = CachedSecret::new(StaticSecret(Secret::new("")), Webhooks::parse, CLOCK.clone());
    let mut handler = Handler::new(queue, EXCHANGE.clone(), Arc::new(secret), CLOCK.clone());
    handler.random = || 1.0;
    handler
}

fn webhooks(settings: &Value) -> Webhooks {
    Webhooks::parse(&settings.to_string()).unwrap()
}

fn body(id: &str, message_type: MessageType) -> String {
    let rest = match message_type {
        MessageType::Track => r#","event":"e""#,
        MessageType::Alias => r#","previousId":"p""#,
        MessageType::Group => r#","groupId":"g""#,
        _ => "",
    };
    format!(r#"{{"type":"{message_type}","messageId":"{id}","userId":"u"{rest}}}"#)
}

fn received(id: usize, body: String, attributes: &[(&str, &str)]) -> Received {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Received { id: id.to_string(), body, attributes: attributes.iter().map(owned).collect(), sent_at: now() }
}

/// Plans and settles one fresh message with one webhook and that ending, and returns what is put instead of it.
async fn settled(ending: Ending, attributes: &[(&str, &str)], hours: f64) -> Vec<Entry> {
    let settings = json!({ "webhooks": [{ "url": "https://a.example" }], "retryHours": hours });
    let webhooks = webhooks(&settings);
    let mut batch = vec![received(0, body("m", MessageType::Page), attributes)];
    let plan = plan(&mut batch, &webhooks, now());
    let handler = handler(Noting::default());
    assert!(handler.settle(batch, &plan, vec![ending], &webhooks, now()).await.is_empty());
    let replacements = handler.queue.replacements.into_inner().unwrap();
    replacements.into_iter().flat_map(|replacement| replacement.entries).collect()
}

#[tokio::test]
async fn a_delivery_that_never_got_its_turn_comes_back_soon_and_nothing_is_counted() {
    let since = "2026-11-21T03:00:00.000Z";
    for attributes in [&[][..], &[("attempts", "3"), ("since", since)]] {
        // Its window would be over; but it was not its fault.
        let entry = settled(Ending::Busy, attributes, 0.1).await.remove(0);
        assert_eq!(entry.place, Place::Queue(SHORT_WAIT));
        for (name, value) in attributes {
            assert_eq!(entry.attributes[*name], *value);
        }
        assert_eq!(
            entry.attributes.len(),
            attributes.len() + 2,
            "and the webhook, and when it entered the queue"
        );
    }
}

#[tokio::test]
async fn a_held_message_waits_without_an_attempt_until_its_window_is_over() {
    let seconds = Duration::from_secs;
    for (attempts, since, expected) in [
        ("0", "04:00:00", Place::Queue(seconds(25))),
        ("3", "03:50:00", Place::Queue(seconds(620))),
        ("3", "00:00:10", Place::Queue(seconds(10))),
        ("3", "00:00:00", Place::DeadLetter),
    ] {
        let since = format!("2026-11-21T{since}.000Z");
        let attributes = [("attempts", attempts), ("since", since.as_str())];
        let entry = settled(Ending::Held(seconds(20)), &attributes, 4.0).await.remove(0);
        assert_eq!(entry.place, expected, "{attributes:?}");
        assert_eq!(entry.attributes["attempts"], attempts, "no attempt was made");
        assert_eq!(entry.attributes["since"], since);
        let failure = (expected == Place::DeadLetter).then_some("expired");
        assert_eq!(entry.attributes.get("failure").map(String::as_str), failure);
    }
}

#[tokio::test]
async fn a_message_that_was_never_tried_waits_a_quarter_of_an_hour_whatever_the_window() {
    for (since, expected) in [
        ("04:00:00", Place::Queue(Duration::from_secs(25))),
        ("03:45:01", Place::Queue(Duration::from_secs(1))),
        ("03:45:00", Place::DeadLetter),
    ] {
        let since = format!("2026-11-21T{since}.000Z");
        let held = Ending::Held(Duration::from_secs(20));
        let entry = settled(held, &[("since", since.as_str())], 0.0).await.remove(0);
        assert_eq!(entry.place, expected, "{since}");
    }
}

#[test]
fn groups_join_whatever_is_in_them_already() {
    let mut group: Vec<usize> = (0..6).collect();
    join(&mut group, &[0, 1]);
    join(&mut group, &[2, 3]);
    join(&mut group, &[4]);
    join(&mut group, &[3, 1]);
    assert_eq!(group[0], group[3]);
    assert!(group[..4].iter().all(|one| *one == group[0]));
    assert_eq!(&group[4..], [4, 5]);
}

/// One message of the queue.
#[derive(Clone, Debug)]
enum Item {
    /// For all webhooks.
    Fresh(MessageType),
    /// For one webhook, with so many messages in it.
    Named { webhook: usize, messages: usize, redriven: bool },
    /// Not due yet.
    Early { named: bool },
    /// Not a message.
    Broken { named: bool },
}

/// What has to end once: a message, by its id, for a webhook, by its name. Without a name it is for all.
type Unit = (String, String);

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = prop_oneof![
        6 => select(&MessageType::ALL[..]).prop_map(Item::Fresh),
        3 => (0_usize..6, 1_usize..4, any::<bool>())
            .prop_map(|(webhook, messages, redriven)| Item::Named { webhook, messages, redriven }),
        1 => any::<bool>().prop_map(|named| Item::Early { named }),
        1 => any::<bool>().prop_map(|named| Item::Broken { named }),
    ];
    prop::collection::vec(item, 0..12)
}

/// Up to five webhooks: the size of their batches, and which of the seven types they get.
fn settings() -> impl Strategy<Value = Value> {
    let webhook = (1_usize..4, prop_oneof![Just(127_u8), 1_u8..128]);
    (prop::collection::vec(webhook, 1..=5), any::<bool>()).prop_map(|(webhooks, any)| {
        let webhooks = webhooks.into_iter().enumerate().map(|(index, (batch_size, mask))| {
            let types = MessageType::ALL.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
            json!({
                "url": format!("https://a.example/{index}"),
                "batchSize": if any { 1 } else { batch_size },
                "types": types.map(|(_, one)| one.as_str()).collect::<Vec<_>>(),
            })
        });
        json!({ "webhooks": webhooks.collect::<Vec<_>>(), "success": if any { "any" } else { "all" } })
    })
}

fn endings() -> impl Strategy<Value = Vec<Ending>> {
    let retry = |after: Option<u64>| {
        let after = after.map(Duration::from_secs);
        Ending::Tried(Outcome::Retry { failure: Failure::Status(503), after })
    };
    let ending = prop_oneof![
        4 => Just(Ending::Tried(Outcome::Delivered)),
        2 => Just(retry(None)),
        1 => (0_u64..20_000).prop_map(move |after| retry(Some(after))),
        1 => Just(Ending::Tried(Outcome::Rejected(Failure::Status(410)))),
        1 => Just(Ending::Held(Duration::from_secs(10))),
        1 => Just(Ending::Busy),
    ];
    // More than there can be deliveries.
    prop::collection::vec(ending, 60)
}

fn name(webhooks: &Webhooks, webhook: usize) -> String {
    webhooks.webhooks.get(webhook).map_or(GONE, |webhook| &webhook.name).to_owned()
}

fn batch(items: &[Item], webhooks: &Webhooks) -> Vec<Received> {
    let of = |(index, item): (usize, &Item)| match item {
        Item::Fresh(message_type) => received(index, body(&format!("{index}-0"), *message_type), &[]),
        Item::Named { webhook, messages, redriven } => {
            let name = name(webhooks, *webhook);
            let bodies: Vec<String> =
                (0..*messages).map(|member| body(&format!("{index}-{member}"), MessageType::Page)).collect();
            let text = if *messages == 1 { bodies.concat() } else { format!("[{}]", bodies.join(",")) };
            let history = [("attempts", "2"), ("since", "2026-11-21T03:00:00.000Z"), ("failure", "expired")];
            let history = &history[..if *redriven { 3 } else { 2 }];
            received(index, text, &[history, &[(WEBHOOK, &name)]].concat())
        }
        Item::Early { named } => {
            let name = name(webhooks, 0);
            let attributes = [("due", "2026-11-21T05:00:00.000Z"), (WEBHOOK, &name)];
            let text = body(&format!("{index}-0"), MessageType::Page);
            received(index, text, &attributes[..if *named { 2 } else { 1 }])
        }
        Item::Broken { named } => {
            let name = name(webhooks, 0);
            let text = format!(r#"{{"messageId":"{index}-0"}}"#);
            received(index, text, &[(WEBHOOK, name.as_str())][..usize::from(*named)])
        }
    };
    items.iter().enumerate().map(of).collect()
}

/// What has to end, each once.
fn expected(items: &[Item], webhooks: &Webhooks) -> BTreeMap<Unit, usize> {
    let mut units = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let id = |member: usize| format!("{index}-{member}");
        match item {
            Item::Fresh(message_type) => {
                let mut names: Vec<String> = webhooks
                    .webhooks
                    .iter()
                    .filter(|webhook| webhook.wants(*message_type))
                    .map(|webhook| webhook.name.clone())
                    .collect();
                if webhooks.success == Success::Any && !names.is_empty() {
                    names = vec![String::new()];
                }
                units.extend(names.into_iter().map(|name| (id(0), name)));
            }
            Item::Named { webhook, messages, .. } => {
                units.extend((0..*messages).map(|member| (id(member), name(webhooks, *webhook))));
            }
            Item::Early { named } | Item::Broken { named } => {
                units.push((id(0), if *named { name(webhooks, 0) } else { String::new() }));
            }
        }
    }
    units.into_iter().map(|unit| (unit, 1)).collect()
}

/// The ids of the messages in a body.
fn ids(body: &str) -> Vec<String> {
    let id = |message: &Value| message["messageId"].as_str().unwrap().to_owned();
    match serde_json::from_str(body).unwrap() {
        Value::Array(members) => members.iter().map(id).collect(),
        message => vec![id(&message)],
    }
}

/// What was delivered.
fn delivered(batch: &[Received], plan: &Plan, endings: &[Ending], webhooks: &Webhooks) -> Vec<Unit> {
    let mut units = Vec::new();
    for (delivery, ending) in plan.deliveries.iter().zip(endings) {
        if let Ending::Tried(Outcome::Delivered) = ending {
            let fresh = !batch[delivery.items[0]].attributes.contains_key(WEBHOOK);
            let for_all = fresh && webhooks.success == Success::Any;
            let name = if for_all { String::new() } else { webhooks.webhooks[delivery.webhook].name.clone() };
            let messages = delivery.items.iter().flat_map(|item| &plan.messages[*item]);
            units.extend(messages.map(|one| (one.message_id.clone().unwrap(), name.clone())));
        }
    }
    // Where any of them is enough, several may have taken it.
    if webhooks.success == Success::Any {
        units.sort();
        units.dedup();
    }
    units
}

proptest! {
    #[test]
    fn every_message_ends_once_for_every_webhook_that_wants_it(
        items in items(), settings in settings(), endings in endings(),
        failing in prop::collection::vec(prop::bool::weighted(0.2), 12),
    ) {
        let webhooks = webhooks(&settings);
        let mut batch = batch(&items, &webhooks);
        let plan = plan(&mut batch, &webhooks, now());
        let endings = endings[..plan.deliveries.len()].to_vec();
        let mut ended = delivered(&batch, &plan, &endings, &webhooks);

        let handler = handler(Noting { failing: failing.clone(), ..Noting::default() });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let failed = runtime.block_on(handler.settle(batch.clone(), &plan, endings, &webhooks, now()));
        let replacements = handler.queue.replacements.into_inner().unwrap();

        // Those that the queue did not take are handed out again, and no others.
        let not_taken = replacements.iter().zip(&failing).filter(|(_, fails)| **fails);
        let not_taken: Vec<String> = not_taken.flat_map(|(one, _)| one.received.clone()).collect();
        prop_assert_eq!(failed, not_taken);

        let mut replaced: Vec<&String> = replacements.iter().flat_map(|one| &one.received).collect();
        let count = replaced.len();
        replaced.sort();
        replaced.dedup();
        prop_assert_eq!(replaced.len(), count, "no message is replaced twice");

        for Replacement { received, entries } in &replacements {
            prop_assert!(!entries.is_empty(), "something takes its place");
            let mut covered: Vec<String> = Vec::new();
            for Entry { body, attributes, place } in entries {
                match place {
                    Place::Queue(wait) => {
                        prop_assert!(*wait <= MAX_DELAY);
                        prop_assert!(!attributes.contains_key(history::FAILURE));
                    }
                    Place::DeadLetter => prop_assert!(attributes.contains_key(history::FAILURE)),
                }
                prop_assert!(attributes.len() <= 10, "SQS takes no more");
                let name = attributes.get(WEBHOOK).cloned().unwrap_or_default();
                ended.extend(ids(body).into_iter().map(|id| (id, name.clone())));
                covered.extend(ids(body).iter().map(|id| id.split_once('-').unwrap().0.to_owned()));
            }
            covered.sort();
            covered.dedup();
            let mut received = received.clone();
            received.sort();
            prop_assert_eq!(covered, received, "what is replaced is what is in the entries");
        }

        let mut counted: BTreeMap<Unit, usize> = BTreeMap::new();
        ended.into_iter().for_each(|unit| *counted.entry(unit).or_default() += 1);
        prop_assert_eq!(counted, expected(&items, &webhooks));
    }
}
