//! How an attempt ended for a message, and why it was not taken.

use std::time::Duration;

/// How an attempt ended for one message, or why none was made. Every message of a batch gets exactly one for each
/// group that it is in.
#[must_use = "a message whose outcome is ignored is lost"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination took it.
    Delivered,
    /// The destination may take it later.
    Retry {
        /// Why it did not take it now.
        failure: Failure,
        /// How long the destination asked to wait, when it did.
        after: Option<Duration>,
    },
    /// The destination refused the credentials, or there are none. Somebody may be changing them right now: it is
    /// retried for about four minutes, and then rejected.
    Refused(Failure),
    /// The destination will never take it as it is.
    Rejected(Failure),
    /// No attempt was made, because the breaker allows none for this long.
    Held(Duration),
    /// No attempt was made, for a reason that is not the message's.
    Postponed {
        /// The reason.
        failure: Failure,
        /// How long it waits.
        wait: Duration,
    },
    /// Nobody wants it, for the reason of this code. It is done with.
    Ignored(&'static str),
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A short name for metrics and for the dead-letter queue's `failure` attribute.
    pub code: &'static str,
    /// A sentence that names what to look at. It holds no content of the message.
    pub reason: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
}

impl Failure {
    /// A failure without an HTTP status.
    pub fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), status: None }
    }

    /// A message that cannot be read, or that the destination cannot take as it is.
    #[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
    pub fn invalid(error: impl ToString) -> Self {
        Self::new("invalid", error.to_string())
    }

    /// The breaker allowed no attempt.
    pub(crate) fn held() -> Self {
        Self::new("held", "it was not called because it kept failing")
    }

    /// The destination said nothing of the message.
    pub(crate) fn no_outcome() -> Self {
        Self::new("no_outcome", "nothing is known of the attempt at this message; please report it")
    }

    /// The code that handled the message panicked.
    pub(crate) fn panic() -> Self {
        Self::new("panic", "the handler panicked on this message; please report it")
    }
}

impl Outcome {
    /// The destination may take it later, and did not say when.
    pub fn retry(failure: impl Into<Failure>) -> Self {
        Self::Retry { failure: failure.into(), after: None }
    }

    /// Why the message was not taken, where an attempt was made or could have been.
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

/// The meaning of a call to Segment for its messages.
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
