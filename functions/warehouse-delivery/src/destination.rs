//! PostgreSQL as a destination.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use delivery::{
    Attempt, Breakers, Call, Destination, Failure, Group, Item, Limits, Outcome, Outcomes, Plan, Retries,
    Window,
};
use jiff::Timestamp;
use platform::{
    backoff::FIRST_WAIT,
    clock::SharedClock,
    delivery_state,
    queue::Received,
    secrets::{CachedSecret, TIME_TO_LIVE},
    telemetry,
    topic::{Attributes, WRITE_KEY, for_warehouse},
};
use segment::{Message, timestamp};
use settings::DEFAULT_WRITE_KEY;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    database::Database,
    failure::Cause,
    names::Names,
    prepare::{Catalogue, Pending},
    record::{Change, Record},
    schemas::Schemas,
    selection::Selection,
    session::Session,
    writer::{Failed, SlowTables, Writer, Written},
};

/// The destination's name in metrics and reports.
pub const DESTINATION: &str = "warehouse";

/// The limits of the circuit breaker.
const BREAKER: Limits = Limits {
    threshold: 3,
    first_pause: FIRST_WAIT,
    longest_pause: Duration::from_secs(20),
    probe_time: Duration::from_secs(60),
};

/// How long a batch is held while the database must not be called. It is longer than the breaker's longest pause, so that
/// messages wait here during an outage instead of being put back again and again.
const PATIENCE: Duration = BREAKER.longest_pause.saturating_add(Duration::from_secs(2));

/// Writes messages into PostgreSQL.
pub struct WarehouseDestination {
    database: Arc<CachedSecret<Database>>,
    schemas: Schemas,
    selection: Selection,
    names: Names,
    clock: SharedClock,
    breakers: Breakers,
    /// Whether attempts say what they did with each message.
    has_notes: bool,
    /// Whether rows are copied into their tables.
    copies: bool,
    /// The one connection of the environment.
    connection: Mutex<Connection>,
}

/// A connection, and what is known of the database behind it.
#[derive(Default)]
struct Connection {
    session: Option<Session>,
    catalogue: Catalogue,
    slow_tables: SlowTables,
    /// Whether the last connection ended during a copy. The next attempt makes none.
    was_lost_in_copy: bool,
    /// When the catalogue was read first. The user may alter columns at any time.
    read_at: Timestamp,
}

/// A message with its schema.
pub struct Routed {
    schema: String,
    record: Record,
}

/// Why a message without a row is not written.
const LEFT_OUT: &str = "left_out";

impl Routed {
    /// Whether the user left all of its rows out.
    fn is_left_out(&self) -> bool {
        matches!(&self.record.change, Change::Rows(rows) if rows.rows.is_empty())
    }

    fn pending(&self, index: usize, attempts: u32) -> Pending<'_> {
        Pending { index, schema: &self.schema, record: &self.record, attempts }
    }
}

impl WarehouseDestination {
    /// Returns a destination that writes into `database`.
    pub fn new(database: Arc<CachedSecret<Database>>, schemas: Schemas, clock: SharedClock) -> Self {
        let breakers = Breakers::new(BREAKER, clock.clone());
        Self {
            database,
            schemas,
            selection: Selection::default(),
            names: Names::default(),
            clock,
            breakers,
            has_notes: false,
            copies: false,
            connection: Mutex::default(),
        }
    }

    /// Sets what is written.
    #[must_use]
    pub fn with_selection(self, selection: Selection) -> Self {
        Self { selection, ..self }
    }

    /// Makes attempts say what they did with each message: which tables have a row of it, and what was discarded.
    #[must_use]
    pub fn with_notes(self) -> Self {
        Self { has_notes: true, ..self }
    }

    /// Makes it write with `COPY`, which is faster where the tables have none of the rows, and slower where they have.
    #[must_use]
    pub fn with_copy(self) -> Self {
        Self { copies: true, ..self }
    }

    /// Reads a message of the past that is in no queue.
    ///
    /// A message that does not say when it was received counts as received at its own time, so that it does not bring a
    /// user back who was deleted since.
    pub fn read(&self, message: Message, write_key: &str) -> Routed {
        let (now, own_time) = (self.clock.now(), message.get("timestamp").and_then(timestamp::parse));
        self.routed(message, write_key, own_time.map_or(now, |time| time.min(now)))
    }

    /// Writes messages that are in no queue. Returns their outcomes, in order. `attempts` is how often they were tried
    /// before.
    pub async fn write_all(&self, routed: &[&Routed], attempts: u32) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Ignored(LEFT_OUT); routed.len()];
        let wanted: Vec<usize> = (0..routed.len()).filter(|index| !routed[*index].is_left_out()).collect();
        let pending = wanted.iter().enumerate().map(|(at, index)| routed[*index].pending(at, attempts));
        let (written, _) = self.write(pending.collect()).await;
        wanted.into_iter().zip(written).for_each(|(index, outcome)| outcomes[index] = outcome);
        outcomes
    }

    /// Returns a message with its schema.
    fn routed(&self, message: Message, write_key: &str, entered: Timestamp) -> Routed {
        let mut record = Record::new(message, entered, &self.names);
        if let Change::Rows(rows) = &mut record.change {
            self.selection.apply(rows);
        }
        Routed { schema: self.schemas.of(write_key), record }
    }

    /// Connects before the first message comes. A failure is seen again then.
    pub async fn connect(&self) {
        let mut connection = self.connection.lock().await;
        if let Ok(database) = self.database.get().await {
            let _ = connection.open(&database).await;
        }
    }

    /// Writes messages. Returns their outcomes, and what was written.
    async fn write(&self, pending: Vec<Pending<'_>>) -> (Vec<Outcome>, Result<Written, Failed>) {
        let mut outcomes = vec![None; pending.len()];
        let mut connection = self.connection.lock().await;
        let result = self.write_on(&mut connection, pending, &mut outcomes).await;
        if let Err(failed) = &result {
            // A connection after a failure is in an unknown state.
            connection.session = None;
            connection.catalogue.clear();
            connection.was_lost_in_copy = failed.cause == Cause::Lost && !connection.was_lost_in_copy;
            for outcome in &mut outcomes {
                outcome.get_or_insert_with(|| Outcome::retry(failed.failure.clone()));
            }
        }
        let forgotten =
            || Outcome::retry(Failure::new("no_outcome", "no result was reported; please report it"));
        (outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(forgotten)).collect(), result)
    }

    async fn write_on(
        &self,
        connection: &mut Connection,
        pending: Vec<Pending<'_>>,
        outcomes: &mut [Option<Outcome>],
    ) -> Result<Written, Failed> {
        let unavailable = |error: platform::secrets::SecretError| {
            Failed::without_connection(Failure::new(
                "secret_unavailable",
                format!("the connection string: {}", telemetry::Chain(&error)),
            ))
        };
        let database = self.database.get().await.map_err(unavailable)?;
        let opened = match connection.open(&database).await {
            // The password may have changed.
            Err(failure) if failure.code == "authentication" && self.database.may_change() => {
                let database = self.database.refreshed().await.map_err(unavailable)?;
                connection.open(&database).await
            }
            opened => opened,
        };
        opened.map_err(Failed::without_connection)?;
        let now = self.clock.steady();
        if delivery_state::age(connection.read_at, now) > TIME_TO_LIVE {
            connection.catalogue.clear();
            connection.read_at = now;
        }
        let copies = self.copies && !std::mem::take(&mut connection.was_lost_in_copy);
        let Connection { session: Some(session), catalogue, slow_tables, .. } = connection else {
            return Err(Failed::without_connection(Failure::new("connection", "there is no connection")));
        };
        let writer = Writer::new(session.client(), &database, catalogue, slow_tables, outcomes, now);
        writer.with_notes(self.has_notes).with_copy(copies).write(pending).await
    }
}

/// Logs why messages were not written, each reason once: it may name the privilege that Segue lacks.
fn log_failures(outcomes: &[Outcome]) {
    let reasons: BTreeSet<&str> =
        outcomes.iter().filter_map(Outcome::failure).map(|failure| &*failure.reason).collect();
    for reason in reasons {
        tracing::warn!(%reason, "Messages were not written into the warehouse.");
    }
}

impl Connection {
    /// Connects, unless there is a connection that works as far as known.
    async fn open(&mut self, database: &Database) -> Result<(), Failure> {
        if self.session.as_ref().is_none_or(|session| !session.is_open()) {
            self.session = None;
            self.catalogue.clear();
            self.session = Some(Session::open(database).await?);
        }
        Ok(())
    }
}

impl Destination for WarehouseDestination {
    type Message = Routed;
    type Target = ();

    fn wants(attributes: &Attributes) -> bool {
        for_warehouse(attributes)
    }

    fn decode(&self, received: &Received) -> Result<Routed, Failure> {
        let message = Message::from_stored(&received.body).map_err(Failure::invalid)?;
        let write_key = received.attributes.get(WRITE_KEY).map_or(DEFAULT_WRITE_KEY, String::as_str);
        Ok(self.routed(message, write_key, delivery_state::entered(received)))
    }

    fn message_ids(message: &Routed) -> Vec<&str> {
        vec![&message.record.message_id]
    }

    async fn plan(&self, batch: Vec<Arc<Item<Routed>>>) -> Plan<Self> {
        let retries = Retries { first_wait: FIRST_WAIT, window: Window::Retention };
        let (left_out, wanted): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|item| item.message.is_left_out());
        let groups = if wanted.is_empty() { Vec::new() } else { vec![Group::new((), wanted)] };
        let settled = left_out.into_iter().map(|item| (item, Outcome::Ignored(LEFT_OUT))).collect();
        Plan { groups, settled, retries }
    }

    async fn attempt(&self, group: &Group<Self>) -> Attempt {
        if let Err(wait) = self.breakers.wait(DESTINATION, PATIENCE).await {
            return Attempt::without_call(DESTINATION, Outcomes::All(Outcome::Held(wait)));
        }
        let pending = group.items.iter().enumerate().map(|(index, item)| {
            item.message.pending(index, delivery_state::attempts(&item.received.attributes))
        });
        let (began, stopwatch) = (self.clock.now(), Instant::now());
        let (outcomes, result) = self.write(pending.collect()).await;
        log_failures(&outcomes);
        let mut notes = vec![String::new(); if self.has_notes { group.items.len() } else { 0 }];
        match result {
            Ok(written) => {
                written.notes.into_iter().for_each(|(index, note)| notes[index] = note);
                // A table that somebody holds, or a row that a rule refuses, says nothing about the database.
                self.breakers.record(DESTINATION, &[Outcome::Delivered]);
                written.discards.iter().for_each(|(reason, count)| telemetry::discarded(reason, *count));
            }
            Err(failed) => self.breakers.record(DESTINATION, &[Outcome::retry(failed.failure)]),
        }
        let call = Call { began, took: stopwatch.elapsed(), status: None, request: None };
        Attempt { notes, ..Attempt::with_call(DESTINATION, Outcomes::Each(outcomes), call) }
    }
}
