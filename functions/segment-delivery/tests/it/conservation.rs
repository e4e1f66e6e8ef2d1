//! The [conservation test](testkit::conserves) against a Segment that fails in every way it can.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use fastrand::Rng;
use platform::{clock::HeldClock, sqlite::Store, topic::Attributes};
use segment_delivery::SegmentDestination;
use testkit::{Accepted, Answer, FakeServer, FaultSwitch, Request, Subject, Unit};

use crate::support;

#[test]
fn every_accepted_message_is_delivered_unchanged_or_is_a_dead_letter() {
    testkit::conserves::<Segment>(100);
}

struct Segment(FakeServer);

impl Subject for Segment {
    type Destination = SegmentDestination;

    async fn start(fault_switch: &FaultSwitch, _: &Arc<HeldClock>, random: &mut Rng) -> Self {
        let (fault_switch, mut random) = (fault_switch.clone(), random.fork());
        let answer = move |request: &Request| match refusal(request) {
            Some(refusal) => refusal,
            None if fault_switch.is_on() => fault(&mut random),
            None => Answer::ok(),
        };
        Self(FakeServer::start(answer).await)
    }

    fn destination(&self, _: &Store, clock: &Arc<HeldClock>) -> SegmentDestination {
        support::destination(&self.0, clock)
    }

    fn message(&self, id: &str, random: &mut Rng) -> String {
        testkit::intricate(id, random)
    }

    fn arrived(&self, accepted: &Accepted) -> BTreeSet<Unit> {
        let check = |(_, message): (String, serde_json::Value)| {
            let id = message["messageId"].as_str().unwrap().to_owned();
            assert_eq!(accepted.get(&id), Some(&message.to_string()), "{id} was changed");
            (id, 0)
        };
        self.0.taken().into_iter().map(check).collect()
    }

    fn dead_letter_place(&self, id: &str, attributes: &Attributes) -> usize {
        match id.starts_with("never") {
            true if attributes["failure"] == "client_error" => assert_eq!(attributes["status"], "400"),
            _ => testkit::assert_expired(attributes, Duration::from_hours(13 * 24)),
        }
        0
    }
}

/// Segment permanently refuses a batch with a bad message in it.
fn refusal(request: &Request) -> Option<Answer> {
    let messages = request.messages();
    let mut ids = messages.iter().map(|message| message["messageId"].as_str().unwrap());
    ids.any(|id| id.starts_with("never")).then(|| Answer::status(400))
}

fn fault(random: &mut Rng) -> Answer {
    match random.u8(..100) {
        0..10 => Answer::status([500, 502, 503, 504][random.usize(..4)]),
        10..15 => Answer::rate_limited(random.u64(0..1_000).to_string()),
        15..18 => Answer::rate_limited("Sat, 21 Nov 2026 04:30:00 GMT"),
        18..22 => Answer::status(429),
        22..30 => Answer::ResetBefore,
        30..38 => Answer::ResetAfter,
        38..40 => Answer::EndlessBody,
        40..42 => Answer::Late(Duration::from_secs(1)),
        _ => Answer::ok(),
    }
}
