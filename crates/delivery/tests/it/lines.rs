//! A destination that appends each message to a file as a line. It shows what a new destination needs, and
//! passes the [conservation test](testkit::conserves).

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use delivery::{
    Attempt, Breakers, Destination, Failure, Group, Item, Limits, Outcome, Outcomes, Permit, Plan, Retries,
    Window,
};
use fastrand::Rng;
use platform::{
    clock::HeldClock,
    queue::Received,
    sqlite::Store,
    topic::{Attributes, for_segment},
};
use segment::Message;
use testkit::{Accepted, FaultSwitch, Subject, Unit};

const BREAKER: Limits = Limits {
    threshold: 3,
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(20),
    probe_time: Duration::from_secs(1),
};

/// Appends to a file.
struct Lines {
    file: PathBuf,
    breakers: Breakers,
    faults: Faults,
}

/// Makes attempts fail while faults are on.
#[derive(Clone)]
struct Faults {
    fault_switch: FaultSwitch,
    random: Arc<Mutex<Rng>>,
}

impl Lines {
    fn append(&self, lines: &[&str]) -> io::Result<()> {
        let roll =
            self.faults.random.lock().unwrap().u8(..if self.faults.fault_switch.is_on() { 100 } else { 50 });
        assert!(roll < 95, "a bug, before anything is written");
        if roll >= 80 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file)?;
        file.write_all(lines.concat().as_bytes())?;
        match roll {
            0..50 => Ok(()),
            50..75 => Err(io::ErrorKind::TimedOut.into()),
            _ => panic!("a bug, after all is written"),
        }
    }
}

impl Destination for Lines {
    /// The `messageId`, and the line.
    type Message = (String, String);
    type Target = ();

    fn wants(attributes: &Attributes) -> bool {
        for_segment(attributes)
    }

    fn decode(&self, received: &Received) -> Result<Self::Message, Failure> {
        let message = Message::from_json(received.body.as_bytes()).map_err(Failure::invalid)?;
        Ok((message.message_id().unwrap_or_default().to_owned(), format!("{}\n", received.body)))
    }

    fn message_ids((id, _): &Self::Message) -> Vec<&str> {
        vec![id]
    }

    async fn plan(&self, batch: Vec<Arc<Item<Self::Message>>>) -> Plan<Self> {
        let retries = Retries { first_wait: Duration::from_secs(1), window: Window::Retention };
        Plan { groups: vec![Group::new((), batch)], settled: Vec::new(), retries }
    }

    async fn attempt(&self, group: &Group<Self>) -> Attempt {
        if let Permit::Wait(wait) = self.breakers.permit("file") {
            return Attempt::without_call("file", Outcomes::All(Outcome::Held(wait)));
        }
        let lines: Vec<&str> = group.items.iter().map(|item| &*item.message.1).collect();
        let outcome = match self.append(&lines) {
            Ok(()) => Outcome::Delivered,
            Err(error) => Outcome::retry(Failure::new("file", error.to_string())),
        };
        self.breakers.record("file", [&outcome]);
        Attempt::without_call("file", Outcomes::All(outcome))
    }
}

/// A folder with the file.
struct Folder(tempfile::TempDir, Faults);

impl Subject for Folder {
    type Destination = Lines;

    async fn start(fault_switch: &FaultSwitch, _: &Arc<HeldClock>, random: &mut Rng) -> Self {
        let random = Arc::new(Mutex::new(random.fork()));
        Self(tempfile::tempdir().unwrap(), Faults { fault_switch: fault_switch.clone(), random })
    }

    fn destination(&self, _: &Store, clock: &Arc<HeldClock>) -> Lines {
        let breakers = Breakers::new(BREAKER, clock.clone());
        Lines { file: self.0.path().join("lines"), breakers, faults: self.1.clone() }
    }

    fn message(&self, id: &str, random: &mut Rng) -> String {
        match id.starts_with("never") {
            true => format!(r#"{{"type":"none","messageId":"{id}"}}"#),
            false => testkit::intricate(id, random),
        }
    }

    fn arrived(&self, accepted: &Accepted) -> BTreeSet<Unit> {
        let text = std::fs::read_to_string(self.0.path().join("lines")).unwrap_or_default();
        let arrived = text.lines().map(|line| {
            let (id, _) = accepted.iter().find(|(_, body)| *body == line).unwrap();
            (id.clone(), 0)
        });
        arrived.collect()
    }

    fn dead_letter_place(&self, id: &str, attributes: &Attributes) -> usize {
        match id.starts_with("never") {
            true => assert_eq!(attributes["failure"], "invalid"),
            false => testkit::assert_expired(attributes, Duration::from_hours(13 * 24)),
        }
        0
    }
}

#[test]
fn every_accepted_message_is_a_line_or_lies_in_the_dead_letter_queue() {
    testkit::conserves::<Folder>(50);
}
