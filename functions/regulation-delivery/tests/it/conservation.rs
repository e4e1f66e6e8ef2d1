//! The [conservation test](testkit::conserves) against a Public API that fails in every way it can. Segment
//! is never asked for more users than the month allows.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use fastrand::Rng;
use platform::{
    clock::{Clock, HeldClock},
    sqlite::Store,
    topic::Attributes,
};
use regulation_delivery::RegulationDestination;
use testkit::{Accepted, Answer, FakeServer, FaultSwitch, Request, Subject, Unit};

use crate::support::{Api, FlakyQuota, token, users};

#[test]
fn every_deleted_user_is_regulated_within_the_months_limit_or_is_a_dead_letter() {
    testkit::conserves::<PublicApi>(100);
}

struct PublicApi {
    api: Api,
    months: Arc<Mutex<Months>>,
}

/// The number of users in accepted requests, by token and month.
type Months = BTreeMap<(String, String), u64>;

impl Subject for PublicApi {
    type Destination = RegulationDestination<FlakyQuota>;

    async fn start(fault_switch: &FaultSwitch, clock: &Arc<HeldClock>, random: &mut Rng) -> Self {
        let limit = random.u64(20..80);
        let months = Arc::<Mutex<Months>>::default();
        let (fault_switch, clock, counted) = (fault_switch.clone(), clock.clone(), months.clone());
        let mut random = random.fork();
        let fake = FakeServer::start(move |request| {
            let answer = match refusal(request) {
                Some(refusal) => refusal,
                None if fault_switch.is_on() => fault(&mut random),
                None => Answer::ok(),
            };
            if answer.takes() {
                let month = clock.now().to_string()[..7].to_owned();
                let mut months = counted.lock().unwrap();
                *months.entry((token(request).to_owned(), month)).or_default() += users(request).len() as u64;
            }
            answer
        });
        Self { api: Api::new(&fake.await, limit), months }
    }

    fn destination(&self, store: &Store, clock: &Arc<HeldClock>) -> Self::Destination {
        self.api.destination(store, clock)
    }

    fn message(&self, id: &str, _: &mut Rng) -> String {
        format!(r#"{{"type":"delete","userId":"{id}","messageId":"{id}"}}"#)
    }

    /// Two of the write keys share a token.
    fn write_keys(&self) -> &'static [&'static str] {
        &["default", "app", "shop"]
    }

    fn disturb(&self, random: &mut Rng) {
        self.api.quota_failures.set(u32::from(random.u8(..) < 30));
    }

    fn arrived(&self, _: &Accepted) -> BTreeSet<Unit> {
        for (month, users) in &*self.months.lock().unwrap() {
            assert!(*users <= self.api.limit, "{users} of {} in {month:?}", self.api.limit);
        }
        let mut arrived = BTreeSet::new();
        for request in self.api.fake.requests().iter().filter(|request| request.taken) {
            let users = users(request);
            assert_eq!(users.iter().collect::<BTreeSet<_>>().len(), users.len(), "each user once");
            arrived.extend(users.into_iter().map(|user| (user, 0)));
        }
        arrived
    }

    fn dead_letter_place(&self, id: &str, attributes: &Attributes) -> usize {
        match id.starts_with("never") {
            true if attributes["failure"] == "client_error" => {}
            _ => testkit::assert_expired(attributes, Duration::from_hours(13 * 24)),
        }
        0
    }

    /// Longer than any wait, so that each poll finds every message.
    fn step(&self) -> Duration {
        Duration::from_hours(6)
    }

    /// The month may be used up.
    fn recovers(&self) -> bool {
        false
    }
}

/// Segment permanently refuses a call with a bad user in it.
fn refusal(request: &Request) -> Option<Answer> {
    users(request).iter().any(|user| user.starts_with("never")).then(|| Answer::status(400))
}

fn fault(random: &mut Rng) -> Answer {
    match random.u8(..100) {
        0..10 => Answer::status([500, 502, 503, 504][random.usize(..4)]),
        10..15 => Answer::rate_limited(random.u64(0..1_000).to_string()),
        15..18 => Answer::rate_limited("Sat, 21 Nov 2026 04:30:00 GMT"),
        18..22 => Answer::status([429, 408][random.usize(..2)]),
        22..30 => Answer::ResetBefore,
        30..38 => Answer::ResetAfter,
        38..40 => Answer::EndlessBody,
        40..42 => Answer::Late(Duration::from_secs(1)),
        42..45 => Answer::status([401, 403][random.usize(..2)]),
        _ => Answer::ok(),
    }
}
