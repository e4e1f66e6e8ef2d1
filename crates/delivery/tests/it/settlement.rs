//! Every message of a batch ends exactly once for every target, however the attempts end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use delivery::{
    Attempt, Destination, Engine, Failure, Group, Item, Outcome, Outcomes, Plan, Retries, Window,
};
use platform::{
    delivery_state::{FAILURE, SINCE},
    queue::{Entry, MAX_DELAY, Queue, QueueError, Received, Replacement, TargetQueue},
    topic::Attributes,
};
use proptest::{prelude::*, sample::select};

/// The attribute that binds a message to one target.
const TARGET: &str = "target";

/// A queue that records its replacements. Some of them fail.
#[derive(Clone, Default)]
struct Noting {
    replacements: Arc<Mutex<Vec<Replacement>>>,
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

/// Targets, each with the number of messages that it takes at once, and the outcomes of their attempts.
struct Targets {
    sizes: Vec<usize>,
    window: Window,
    script: Mutex<Vec<Outcome>>,
    delivered: Arc<Mutex<Vec<Unit>>>,
}

/// A message id and a target. An empty target means all targets.
type Unit = (String, String);

impl Destination for Targets {
    /// The ids in a message.
    type Message = Vec<String>;
    type Target = usize;

    fn wants(_: &Attributes) -> bool {
        true
    }

    fn decode(&self, received: &Received) -> Result<Vec<String>, Failure> {
        match received.body.as_str() {
            "panic" => panic!("a bug"),
            "unreadable" => Err(Failure::invalid("it cannot be read")),
            body => Ok(body.split(' ').map(str::to_owned).collect()),
        }
    }

    fn message_ids(ids: &Vec<String>) -> Vec<&str> {
        ids.iter().map(String::as_str).collect()
    }

    async fn plan(&self, batch: Vec<Arc<Item<Vec<String>>>>) -> Plan<Self> {
        let bound = |target: usize, items| Group {
            target_attribute: Some((TARGET, target.to_string())),
            join: Some(|ids| ids.iter().copied().flatten().cloned().collect::<Vec<_>>().join(" ")),
            ..Group::new(target, items)
        };
        let (named, fresh): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|item| item.received.attributes.contains_key(TARGET));
        let (mut groups, mut settled) = (Vec::new(), Vec::new());
        for item in named {
            let target: usize = item.received.attributes[TARGET].parse().unwrap();
            match target < self.sizes.len() {
                true => groups.push(bound(target, vec![item])),
                false => settled.push((item, Outcome::Rejected(Failure::new("gone", "it is gone")))),
            }
        }
        for (target, size) in self.sizes.iter().enumerate() {
            groups.extend(fresh.chunks(*size).map(|items| bound(target, items.to_vec())));
        }
        Plan { groups, settled, retries: Retries { first_wait: Duration::from_secs(5), window: self.window } }
    }

    async fn attempt(&self, group: &Group<Self>) -> Attempt {
        let Some(outcome) = self.script.lock().unwrap().pop() else {
            return Attempt::without_call("", Outcomes::Each(Vec::new()));
        };
        if matches!(outcome, Outcome::Delivered | Outcome::Ignored(_)) {
            let ids = group.items.iter().flat_map(|item| item.message.clone());
            self.delivered.lock().unwrap().extend(ids.map(|id| (id, group.target.to_string())));
        }
        Attempt::without_call(group.target.to_string(), Outcomes::All(outcome))
    }
}

/// One message of the queue.
#[derive(Clone, Debug)]
enum Message {
    /// For all targets.
    Fresh,
    /// For one target, with this many messages in it.
    Named {
        target: usize,
        messages: usize,
        redriven: bool,
    },
    /// Not due yet.
    Early,
    Unreadable(&'static str),
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let message = prop_oneof![
        6 => Just(Message::Fresh),
        3 => (0_usize..6, 1_usize..4, any::<bool>())
            .prop_map(|(target, messages, redriven)| Message::Named { target, messages, redriven }),
        1 => Just(Message::Early),
        1 => select(&["panic", "unreadable"][..]).prop_map(Message::Unreadable),
    ];
    prop::collection::vec(message, 0..12)
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let failure =
        || Failure { code: "server_error", reason: "it answered 503".to_owned(), status: Some(503) };
    prop_oneof![
        4 => Just(Outcome::Delivered),
        1 => Just(Outcome::Ignored("nobody_wants_it")),
        3 => prop::option::of(0_u64..20_000)
            .prop_map(move |after| Outcome::Retry { failure: failure(), after: after.map(Duration::from_secs) }),
        1 => Just(Outcome::Refused(failure())),
        1 => Just(Outcome::Rejected(failure())),
        1 => Just(Outcome::Held(Duration::from_secs(10))),
        1 => Just(Outcome::Postponed { failure: failure(), wait: Duration::from_secs(30) }),
    ]
}

/// Returns a message as the queue hands it out, and the units in it.
fn received(index: usize, message: &Message, targets: usize) -> (Received, Vec<Unit>) {
    let id = |member: usize| format!("{index}-{member}");
    let history = [("attempts", "2"), (SINCE, "2026-11-21T03:00:00.000Z"), (FAILURE, "expired")];
    let (body, attributes, units): (String, Vec<(&str, String)>, Vec<Unit>) = match message {
        Message::Fresh => (id(0), vec![], (0..targets).map(|target| (id(0), target.to_string())).collect()),
        Message::Named { target, messages, redriven } => {
            let ids: Vec<String> = (0..*messages).map(id).collect();
            let mut attributes = vec![(TARGET, target.to_string())];
            let history = &history[..if *redriven { 3 } else { 2 }];
            attributes.extend(history.iter().map(|(name, value)| (*name, (*value).to_owned())));
            (ids.join(" "), attributes, ids.iter().map(|id| (id.clone(), target.to_string())).collect())
        }
        Message::Early => {
            let due = vec![("due", "2026-11-21T05:00:00.000Z".to_owned())];
            (id(0), due, vec![(id(0), String::new())])
        }
        Message::Unreadable(body) => ((*body).to_owned(), vec![], vec![((*body).to_owned(), String::new())]),
    };
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let sent_at = testkit::START.parse().unwrap();
    (Received { id: index.to_string(), body, attributes, sent_at }, units)
}

fn counted(units: impl IntoIterator<Item = Unit>) -> BTreeMap<Unit, usize> {
    let mut counted = BTreeMap::new();
    units.into_iter().for_each(|unit| *counted.entry(unit).or_default() += 1);
    counted
}

#[tokio::test]
async fn a_bug_in_a_destination_loses_no_message() {
    for (sizes, failed, put_back) in [(vec![], vec!["0", "1"], 0), (vec![2], vec![], 2)] {
        let (script, delivered) = (Mutex::default(), Arc::default());
        let targets = Targets { sizes, window: Window::Retention, script, delivered };
        let queue = Noting::default();
        let engine = Engine::new(queue.clone(), targets, testkit::clock());
        let batch = (0..2).map(|index| received(index, &Message::Fresh, 1).0).collect();
        assert_eq!(engine.handle(batch).await, failed);
        assert_eq!(queue.replacements.lock().unwrap().len(), put_back);
    }
}

proptest! {
    #[test]
    fn every_message_ends_once_for_every_target(
        messages in messages(), sizes in prop::collection::vec(1_usize..4, 1..=5),
        script in prop::collection::vec(outcome(), 80), hours in prop::option::of(0_u64..12),
        failing in prop::collection::vec(prop::bool::weighted(0.2), 12),
    ) {
        let (batch, expected): (Vec<Received>, Vec<Vec<Unit>>) =
            messages.iter().enumerate().map(|(index, message)| received(index, message, sizes.len())).unzip();
        let window = hours.map_or(Window::Retention, |hours| Window::FromFirstAttempt(Duration::from_hours(hours)));
        let delivered = Arc::<Mutex<Vec<Unit>>>::default();
        let targets = Targets { sizes, window, script: Mutex::new(script), delivered: delivered.clone() };
        let queue = Noting { failing: failing.clone(), ..Noting::default() };
        let engine = Engine::new(queue.clone(), targets, testkit::clock());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let failed = runtime.block_on(engine.handle(batch.clone()));
        let replacements = queue.replacements.lock().unwrap().clone();
        let mut ended = delivered.lock().unwrap().clone();

        // Only the messages that the queue did not take are handed out again.
        let not_taken = replacements.iter().zip(&failing).filter(|(_, fails)| **fails);
        let not_taken: Vec<String> = not_taken.flat_map(|(one, _)| one.received.clone()).collect();
        prop_assert_eq!(failed, not_taken);

        let replaced = counted(replacements.iter().flat_map(|one| &one.received).map(|id| (id.clone(), String::new())));
        prop_assert!(replaced.values().all(|count| *count == 1), "no message is replaced twice");

        for Replacement { received, entries } in &replacements {
            prop_assert!(!entries.is_empty(), "it has a replacement");
            let sources = |entry: &Entry| -> BTreeSet<String> {
                let is_of = |one: &&Received| {
                    one.body.split(' ').any(|member| entry.body.split(' ').any(|id| id == member))
                };
                batch.iter().filter(is_of).map(|one| one.id.clone()).collect()
            };
            let sources: Vec<BTreeSet<String>> = entries.iter().map(sources).collect();
            let all: BTreeSet<String> = sources.iter().flatten().cloned().collect();
            if all.len() == received.len() {
                let mut linked = sources[0].clone();
                for _ in &sources {
                    sources.iter().filter(|one| !one.is_disjoint(&linked)).cloned().collect::<Vec<_>>()
                        .into_iter().for_each(|one| linked.extend(one));
                }
                prop_assert_eq!(&linked, &all, "unlinked messages are replaced separately");
                prop_assert_eq!(all, received.iter().cloned().collect(), "every replaced message is in the entries");
            }
            for Entry { body, attributes, target } in entries {
                match target {
                    TargetQueue::Source(wait) => {
                        prop_assert!(*wait <= MAX_DELAY);
                        prop_assert!(!attributes.contains_key(FAILURE));
                    }
                    TargetQueue::DeadLetter => prop_assert!(attributes.contains_key(FAILURE)),
                }
                prop_assert!(attributes.len() <= 10, "SQS takes no more");
                for id in body.split(' ') {
                    let is_of = |one: &&Received| one.body.split(' ').any(|member| member == id);
                    let from: Vec<&str> = batch.iter().filter(is_of).map(|one| one.id.as_str()).collect();
                    prop_assert!(received.iter().any(|id| from.contains(&id.as_str())), "{} is from {:?}", id, from);
                    ended.push((id.to_owned(), attributes.get(TARGET).cloned().unwrap_or_default()));
                }
            }
        }
        prop_assert_eq!(counted(ended), counted(expected.into_iter().flatten()));
    }
}
