//! Handles one invocation: read, send, retry, answer.

use std::time::Duration;

use jiff::Timestamp;
use platform::{backoff, clock::SharedClock, encoding::random_id, secrets::SecretError, telemetry};
use segment::{Client, Credentials, CredentialsError, Outcome};
use serde_json::{Map, Value};

use crate::{Event, TrackError};

/// The time that is left for the answer at the end. Otherwise Lambda would end the function first, and the
/// caller would learn nothing but that.
pub const MARGIN: Duration = Duration::from_secs(1);

/// The least time for which an attempt is worthwhile.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(500);

/// Records events in Segment.
pub struct Handler<C> {
    client: Client,
    credentials: C,
    clock: SharedClock,
    scheduled_input: Option<Map<String, Value>>,
}

/// The properties of an invocation, beside its input.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Its id. Lambda repeats a failed asynchronous invocation with the same id. The message id derives from
    /// it, so both are the same message.
    pub id: String,
    /// The time by which it must end.
    pub deadline: Timestamp,
}

impl Invocation {
    /// Returns an invocation of a Lambda function with the values of its context: the deadline is in
    /// milliseconds since 1970.
    pub fn new(id: impl Into<String>, deadline: u64) -> Self {
        let deadline = i64::try_from(deadline).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        Self { id: id.into(), deadline: deadline.unwrap_or(Timestamp::MAX) }
    }

    /// Returns an invocation outside Lambda, with a new id.
    pub fn once(deadline: Timestamp) -> Self {
        Self { id: random_id(), deadline }
    }
}

#[cfg(feature = "lambda")]
impl From<lambda_runtime::Context> for Invocation {
    fn from(context: lambda_runtime::Context) -> Self {
        Self::new(context.request_id, context.deadline)
    }
}

impl<C: Credentials> Handler<C> {
    /// Returns a handler that sends through `client`.
    pub fn new(client: Client, credentials: C, clock: SharedClock) -> Self {
        let now = clock.clone();
        let client = client.with_library(settings::LIBRARY).with_clock(move || now.now());
        Self { client, credentials, clock, scheduled_input: None }
    }

    /// Sets the input of invocations by an EventBridge rule, which have none.
    #[must_use]
    pub fn with_scheduled_input(mut self, input: Option<Map<String, Value>>) -> Self {
        self.scheduled_input = input;
        self
    }

    /// Fetches the write key and connects to Segment at the same time, so that the first invocation need not.
    /// If this fails, the first invocation tries again and reports it.
    pub async fn warm(&self) {
        let _ = tokio::join!(self.credentials.write_key(), self.client.connect());
    }

    /// Records the event that `input` describes. Retries until [`MARGIN`] before the deadline. Returns the
    /// answer for the caller when Segment took the event.
    ///
    /// # Errors
    /// [`TrackError`], which says what to do. The event may or may not be recorded; sending it again with the
    /// same `message_id` is safe.
    pub async fn handle(
        &self,
        input: &[u8],
        invocation: &Invocation,
    ) -> Result<Map<String, Value>, TrackError> {
        let result = self.record(input, invocation).await;
        match &result {
            Ok(_) => telemetry::delivered("segment", 1, Vec::new()),
            Err(error) => telemetry::rejected(error.code(), 1),
        }
        result
    }

    async fn record(&self, input: &[u8], invocation: &Invocation) -> Result<Map<String, Value>, TrackError> {
        let scheduled = self.scheduled_input.as_ref();
        let event = Event::read(input, scheduled, &invocation.id, self.clock.now())?;
        self.check_secret().await?;
        let end = invocation.deadline.checked_sub(MARGIN).unwrap_or(invocation.deadline);
        let mut attempts = 0;
        loop {
            let client = self.client.within(self.left(end).max(SHORTEST_ATTEMPT));
            let attempt = client.send(&self.credentials, event.message()).await;
            attempts += 1;
            let (failure, after) = match attempt.outcome {
                Outcome::Delivered => return Ok(event.answer(attempt.response)),
                Outcome::Rejected(failure) => return Err(TrackError::rejected(failure, attempts)),
                Outcome::Retry { failure, after } => (failure, after),
            };
            let wait = backoff::wait(attempts, after, fastrand::f64());
            if wait + SHORTEST_ATTEMPT > self.left(end) {
                return Err(TrackError::exhausted(failure, after, attempts));
            }
            self.clock.sleep(wait).await;
        }
    }

    /// Reports a secret without a write key at once and in its own words, instead of retrying as if Segment
    /// were away.
    async fn check_secret(&self) -> Result<(), TrackError> {
        if let Err(CredentialsError::Unavailable(error)) = self.credentials.write_key().await
            && let Some(error @ SecretError::Parse(_)) = error.downcast_ref()
        {
            return Err(TrackError::InvalidWriteKey(error.to_string()));
        }
        Ok(())
    }

    fn left(&self, end: Timestamp) -> Duration {
        Duration::try_from(end.duration_since(self.clock.now())).unwrap_or_default()
    }
}
