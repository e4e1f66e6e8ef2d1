//! A handler and a Segment whose answers the test sets, with a clock that only the handler's waits move.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use platform::{
    clock::{Clock, HeldClock},
    http,
    secrets::{CachedSecret, StaticSecret},
    write_keys::{NamedWriteKey, WriteKeys},
};
use segment::{Client, Secret};
use serde_json::{Map, Value};
use testkit::{Answer, FakeServer};
use track_event::{Handler, Invocation, TrackError};

/// The time at which every test starts.
pub const NOW: &str = "2026-11-21T04:05:06Z";

/// The time limit of every invocation.
pub const TIME_LIMIT: Duration = Duration::from_secs(30);

pub struct Job {
    pub segment: FakeServer,
    pub clock: Arc<HeldClock>,
    pub handler: Handler<NamedWriteKey>,
}

impl Job {
    pub async fn answered(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::new(FakeServer::answering(answers).await, r#"{"default":"k1"}"#)
    }

    pub fn new(segment: FakeServer, secret: &str) -> Self {
        let clock = HeldClock::at(NOW.parse().unwrap());
        let store = StaticSecret(Secret::new(secret));
        let keys = Arc::new(CachedSecret::new(store, WriteKeys::parse, clock.clone()));
        let credentials = NamedWriteKey { keys, name: settings::DEFAULT_WRITE_KEY.to_owned() };
        let client = Client::new(http::client().unwrap(), segment.url().parse().unwrap());
        let handler = Handler::new(client, credentials, clock.clone());
        Self { segment, clock, handler }
    }

    pub async fn run(&self, input: &str) -> Result<Map<String, Value>, TrackError> {
        let deadline = self.clock.now().checked_add(TIME_LIMIT).unwrap();
        let invocation = Invocation { id: "52fdfc07".to_owned(), deadline };
        self.handler.handle(input.as_bytes(), &invocation).await
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the one message that Segment took.
    pub fn message(&self) -> Value {
        let taken = self.segment.taken();
        assert_eq!(taken.len(), 1);
        taken[0].1.clone()
    }
}
