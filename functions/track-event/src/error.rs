//! The errors of an invocation.

use std::time::Duration;

use segment::{Failure, InvalidMessage, Problem};

/// Why the event was not recorded. [`kind`](Self::kind) is the error type that callers of the Lambda function
/// see and can distinguish. No text quotes a value of the input.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    /// A required field is missing.
    #[error("{field} is missing; {hint}")]
    MissingField {
        /// The input's field.
        field: &'static str,
        /// The advice.
        hint: &'static str,
    },
    /// A field is wrong or unknown.
    #[error("{field}: {problem}")]
    InvalidField {
        /// The input's field, or `input` for the whole input.
        field: String,
        /// The problem and the expected value.
        problem: String,
    },
    /// The event is too large for Segment.
    #[error("the event is larger than 32 KB as JSON; make its properties smaller")]
    TooLarge,
    /// There is no write key, or Segment does not know it.
    #[error("{0}")]
    InvalidWriteKey(String),
    /// Segment limited the rate until the time was up.
    #[error("Segment limits the rate; the event was not recorded after {attempts} attempts{}", later(*.after))]
    RateLimited {
        /// The number of attempts.
        attempts: u32,
        /// How long Segment asked to wait.
        after: Option<Duration>,
    },
    /// Segment did not take the event in time.
    #[error("the event was not recorded after {attempts} attempts; the last one failed: {last}")]
    SegmentUnavailable {
        /// The number of attempts.
        attempts: u32,
        /// The failure of the last attempt.
        last: Failure,
    },
}

impl TrackError {
    /// Returns the error's type: `MissingField`, `InvalidField`, `TooLarge`, `InvalidWriteKey`, `RateLimited`
    /// or `SegmentUnavailable`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MissingField { .. } => "MissingField",
            Self::InvalidField { .. } => "InvalidField",
            Self::TooLarge => "TooLarge",
            Self::InvalidWriteKey(_) => "InvalidWriteKey",
            Self::RateLimited { .. } => "RateLimited",
            Self::SegmentUnavailable { .. } => "SegmentUnavailable",
        }
    }

    /// Returns a short name for metrics.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::MissingField { .. } => "missing_field",
            Self::InvalidField { .. } => "invalid_field",
            Self::TooLarge => "too_large",
            Self::InvalidWriteKey(_) => "invalid_write_key",
            Self::RateLimited { .. } => "rate_limited",
            Self::SegmentUnavailable { .. } => "segment_unavailable",
        }
    }

    pub(crate) fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::InvalidField { field: field.into(), problem: problem.into() }
    }

    /// Returns the error for an event that Segment will never take as it is.
    pub(crate) fn rejected(failure: Failure, attempts: u32) -> Self {
        match failure {
            Failure::Status(413) => Self::TooLarge,
            Failure::Status(400) => {
                Self::invalid("input", "Segment answered 400: it finds the event malformed")
            }
            Failure::Invalid(problem) => Self::invalid("input", problem),
            Failure::WriteKey | Failure::NoWriteKey => Self::InvalidWriteKey(failure.to_string()),
            last => Self::SegmentUnavailable { attempts, last },
        }
    }

    /// Returns the error for an event that Segment may take later, when there is no more time.
    pub(crate) fn exhausted(failure: Failure, after: Option<Duration>, attempts: u32) -> Self {
        match failure {
            Failure::Status(429) => Self::RateLimited { attempts, after },
            last => Self::SegmentUnavailable { attempts, last },
        }
    }
}

impl From<InvalidMessage> for TrackError {
    fn from(error: InvalidMessage) -> Self {
        // Segment's field names, translated to the input's.
        let field = match error.path {
            "userId" => "user_id",
            "anonymousId" => "anonymous_id",
            "messageId" => "message_id",
            path => path,
        };
        match error.problem {
            Problem::TooLarge => Self::TooLarge,
            Problem::NoUser => Self::MissingField {
                field,
                hint: "name the user that the event belongs to, or an anonymous_id",
            },
            Problem::Missing => {
                Self::MissingField { field, hint: "name the event, such as \"Order Completed\"" }
            }
            problem => Self::invalid(field, problem.to_string()),
        }
    }
}

#[cfg(feature = "lambda")]
impl From<TrackError> for lambda_runtime::Diagnostic {
    fn from(error: TrackError) -> Self {
        Self { error_type: error.kind().to_owned(), error_message: error.to_string() }
    }
}

fn later(after: Option<Duration>) -> String {
    after.map(|after| format!("; try again in {} s", after.as_secs())).unwrap_or_default()
}
