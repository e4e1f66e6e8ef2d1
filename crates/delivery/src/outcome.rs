//! The outcome of an attempt for a message, and the failure if the message was not taken.

use std::time::Duration;

/// The result of an attempt for one message, or the reason why there was none. Every message of a batch gets
/// exactly one outcome for each of its groups.
#[must_use = "a message whose outcome is ignored is lost"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination took it.
    Delivered,
    /// The destination may take it later.
    Retry {
        /// Why it did not take it now.
        failure: Failure,
        /// How long the destination asked to wait, if it did.
        after: Option<Duration>,
    },
    /// The destination refused the credentials, or there are none. They may be about to change, so the
    /// message is retried for about four minutes and then rejected.
    Refused(Failure),
    /// The destination will never take the message as it is.
    Rejected(Failure),
    /// No attempt was made, because the circuit breaker allows none for this long.
    Held(Duration),
    /// No attempt was made, for a reason outside the message.
    Postponed {
        /// The reason.
        failure: Failure,
        /// How long it waits.
        wait: Duration,
    },
    /// Nobody wants the message, for the reason with this code. It is deleted.
    Ignored(&'static str),
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A short name for metrics and for the dead-letter queue's `failure` attribute.
    pub code: &'static str,
    /// A sentence that says what to check. It contains no content of the message.
    pub reason: String,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
}

impl Failure {
    /// Returns a failure without an HTTP status.
    pub fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), status: None }
    }

    /// Returns the failure of a message that cannot be read, or that the destination cannot take as it is.
    #[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
    pub fn invalid(error: impl ToString) -> Self {
        Self::new("invalid", error.to_string())
    }

    /// Returns the failure when the circuit breaker allowed no attempt.
    pub(crate) fn held() -> Self {
        Self::new("held", "it was not called because it kept failing")
    }

    /// Returns the failure when the destination reported no outcome for the message.
    pub(crate) fn no_outcome() -> Self {
        Self::new("no_outcome", "the destination reported no result for this message; please report it")
    }

    /// Returns the failure when the code that handled the message panicked.
    pub(crate) fn panic() -> Self {
        Self::new("panic", "the handler panicked on this message; please report it")
    }
}

impl Outcome {
    /// Returns the outcome when the destination may take the message later and did not say when.
    pub fn retry(failure: impl Into<Failure>) -> Self {
        Self::Retry { failure: failure.into(), after: None }
    }

    /// Returns why the message was not taken, if an attempt was made or was possible.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Retry { failure, .. }
            | Self::Refused(failure)
            | Self::Rejected(failure)
            | Self::Postponed { failure, .. } => Some(failure),
            Self::Delivered | Self::Held(_) | Self::Ignored(_) => None,
        }
    }
}

impl From<segment::Failure> for Failure {
    fn from(failure: segment::Failure) -> Self {
        Self { code: failure.code(), reason: failure.to_string(), status: failure.status() }
    }
}

/// Translates the outcome of a call to Segment.
impl From<segment::Outcome> for Outcome {
    fn from(outcome: segment::Outcome) -> Self {
        use segment::Failure::{NoWriteKey, Token, WriteKey};
        match outcome {
            segment::Outcome::Delivered => Self::Delivered,
            segment::Outcome::Retry { failure, after } => Self::Retry { failure: failure.into(), after },
            segment::Outcome::Rejected(failure @ (WriteKey | NoWriteKey | Token(_))) => {
                Self::Refused(failure.into())
            }
            segment::Outcome::Rejected(failure) => Self::Rejected(failure.into()),
        }
    }
}
