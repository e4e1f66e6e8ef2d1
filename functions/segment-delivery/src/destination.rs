//! Segment's HTTP API as a destination. Each write key is a separate group.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use delivery::{
    Attempt, Breakers, Call, Destination, Failure, Group, Item, Limits, Outcome, Outcomes, Plan, Retries,
    Window,
};
use platform::{
    backoff::FIRST_WAIT,
    clock::SharedClock,
    queue::Received,
    secrets::CachedSecret,
    topic::{Attributes, WRITE_KEY, for_segment},
    write_keys::{NamedWriteKey, WriteKeys},
};
use segment::{Client, Message, Outgoing};
use settings::DEFAULT_WRITE_KEY;
use tokio::time::Instant;

use crate::pace::Pace;

/// The limits of the circuit breakers. There is one for each write key: a rate limit of one workspace must
/// not delay messages for another.
const BREAKER: Limits = Limits {
    threshold: 3,
    first_pause: FIRST_WAIT,
    longest_pause: Duration::from_secs(20),
    // The client's deadline for one call, and for a second one after a refused write key.
    probe_time: Duration::from_secs(20),
};

/// The destination's name in metrics and reports.
pub const DESTINATION: &str = "segment";

/// How long a batch is held while Segment must not be called. It is longer than the breaker's longest pause,
/// so that messages wait here during an outage instead of being put back again and again.
const PATIENCE: Duration = BREAKER.longest_pause.saturating_add(Duration::from_secs(2));

/// Sends messages to Segment in batches.
pub struct SegmentDestination {
    client: Client,
    write_keys: Arc<CachedSecret<WriteKeys>>,
    clock: SharedClock,
    breakers: Breakers,
    pace: Pace,
}

/// A write key, and how long to wait for permission to call.
pub struct Target {
    write_key: String,
    patience: Duration,
}

impl SegmentDestination {
    /// Returns a destination that sends through `client` with the keys in `write_keys`.
    pub fn new(client: Client, write_keys: Arc<CachedSecret<WriteKeys>>, clock: SharedClock) -> Self {
        let breakers = Breakers::new(BREAKER, clock.clone());
        Self { client, write_keys, clock, breakers, pace: Pace::default() }
    }

    /// Sets the fastest pace of the batches.
    #[must_use]
    pub fn with_pace(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }
}

impl Destination for SegmentDestination {
    type Message = Outgoing;
    type Target = Target;

    fn wants(attributes: &Attributes) -> bool {
        for_segment(attributes)
    }

    /// Checks the message again, because an older version may have published it, or somebody may have put it
    /// into the queue by hand. Does not keep the parsed tree, which may be a hundred times as large as the
    /// text.
    fn decode(&self, received: &Received) -> Result<Outgoing, Failure> {
        let message = Message::from_stored(&received.body).map_err(Failure::invalid)?;
        Ok(self.client.outgoing(&message)?)
    }

    fn message_ids(message: &Outgoing) -> Vec<&str> {
        vec![message.message_id.as_deref().unwrap_or_default()]
    }

    async fn plan(&self, batch: Vec<Arc<Item<Outgoing>>>) -> Plan<Self> {
        let mut by_key: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for item in batch {
            let write_key = item.received.attributes.get(WRITE_KEY).map_or(DEFAULT_WRITE_KEY, String::as_str);
            by_key.entry(write_key.to_owned()).or_default().push(item);
        }
        // Waiting for one write key must not delay the messages of another.
        let patience = if by_key.len() == 1 { PATIENCE } else { Duration::ZERO };
        let group = |(write_key, items)| Group::new(Target { write_key, patience }, items);
        let retries = Retries { first_wait: FIRST_WAIT, window: Window::Retention };
        Plan { groups: by_key.into_iter().map(group).collect(), settled: Vec::new(), retries }
    }

    async fn attempt(&self, group: &Group<Self>) -> Attempt {
        let Group { target, items, .. } = group;
        if let Err(wait) = self.breakers.wait(&target.write_key, target.patience).await {
            return Attempt::without_call(DESTINATION, Outcomes::All(Outcome::Held(wait)));
        }
        let credentials = NamedWriteKey { keys: self.write_keys.clone(), name: target.write_key.clone() };
        let messages: Vec<&Outgoing> = items.iter().map(|item| &item.message).collect();
        let (began, stopwatch) = (self.clock.now(), Instant::now());
        let outcomes = self.client.send_outgoing(&credentials, &messages).await;
        let outcomes: Vec<Outcome> = outcomes.into_iter().map(Outcome::from).collect();
        self.breakers.record(&target.write_key, &outcomes);
        // Segment answers only 200 to messages that it accepts (Segment HTTP API docs, "Errors").
        let call = Call { began, took: stopwatch.elapsed(), status: Some(200), request: None };
        Attempt::with_call(DESTINATION, Outcomes::Each(outcomes), call)
    }

    fn least_time(&self, messages: usize) -> Duration {
        self.pace.of(messages)
    }
}
