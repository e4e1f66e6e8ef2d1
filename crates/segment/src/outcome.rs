//! The outcome of a call to Segment, and its meaning for the messages.

use std::time::Duration;

/// The outcome of an attempt for one message. There are only these three.
#[must_use = "a message whose outcome is ignored is lost"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Segment took it.
    Delivered,
    /// Segment may take it later.
    Retry {
        /// Why it was not taken now.
        failure: Failure,
        /// How long Segment asked to wait, if it did.
        after: Option<Duration>,
    },
    /// Segment will never take it as it is.
    Rejected(Failure),
}

/// Why an attempt failed. The text says what to check; it contains no content of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// An HTTP status other than success.
    #[error("Segment answered {0}{advice}", advice = advice(*.0))]
    Status(u16),
    /// A success status that is not from Segment: something on the way answered, or another service is at the
    /// endpoint.
    #[error(
        "the answer {0} is not one that Segment gives when it takes messages; check the endpoint, and whether a proxy or \
         a sign-in page answers in its place"
    )]
    NotSegment(u16),
    /// The deadline passed before the whole answer arrived.
    #[error("Segment did not answer in time")]
    Timeout,
    /// No connection: DNS, TCP or TLS.
    #[error("no connection to Segment; check the endpoint and the network")]
    Connect,
    /// The connection broke during the exchange.
    #[error("the connection to Segment broke")]
    Transport,
    /// Segment answered 401, and there is no newer write key.
    #[error("Segment does not know the write key; check the secret")]
    WriteKey,
    /// The message names a write key that is not configured.
    #[error("no write key of that name is configured; add it to the secret")]
    NoWriteKey,
    /// The store of the write key could not be reached.
    #[error("the secret with the write keys could not be read")]
    SecretUnavailable,
    /// Segment's Public API refuses the token, because it is unknown or may not create regulations. Holds the
    /// HTTP status, 401 or 403; `None` if the token has characters that no request can carry.
    #[error("Segment refuses the Public API token; use the token of a workspace owner, and check the secret")]
    Token(Option<u16>),
    /// The message breaks Segment's rules.
    #[error("{0}")]
    Invalid(String),
}

impl Failure {
    /// Returns a short name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Status(429) => "rate_limited",
            Self::Status(500..) => "server_error",
            Self::Status(300..=399) => "redirect",
            Self::Status(_) => "client_error",
            Self::NotSegment(_) => "not_segment",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Transport => "transport",
            Self::WriteKey => "write_key",
            Self::NoWriteKey => "no_write_key",
            Self::SecretUnavailable => "secret_unavailable",
            Self::Token(_) => "token",
            Self::Invalid(_) => "invalid",
        }
    }

    /// Returns the HTTP status, if there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) | Self::NotSegment(status) => Some(*status),
            Self::WriteKey => Some(401),
            Self::Token(status) => *status,
            _ => None,
        }
    }
}

impl Outcome {
    /// Returns the meaning of an HTTP status, as in Segment's own Node library (`packages/node`,
    /// `publisher.ts`): 408, 410, 429, 460 and 5xx except 501, 505 and 511 are retried. Redirects are never
    /// followed. A redirect means that the endpoint is wrong or is moving, which can be fixed, so it is
    /// retried too. Among 2xx, Segment only answers 200 (Segment HTTP API docs, "Errors"), and its Python
    /// library (`segment/analytics/request.py`) counts no other.
    pub fn of_status(status: u16, after: Option<Duration>) -> Self {
        let failure = Failure::Status(status);
        match status {
            200 => Self::Delivered,
            201..=299 => Self::Retry { failure: Failure::NotSegment(status), after },
            501 | 505 | 511 => Self::Rejected(failure),
            300..=399 | 408 | 410 | 429 | 460 | 500..=599 => Self::Retry { failure, after },
            _ => Self::Rejected(failure),
        }
    }
}

/// Returns the advice for a status that will not change by itself.
fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ", a redirect, and those are never followed; check the endpoint",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_outcome_of_segments_own_library() {
        for status in 200..600 {
            let outcome = Outcome::of_status(status, None);
            let retried = matches!(outcome, Outcome::Retry { .. });
            let expected = match status {
                200 => false,
                201..=299 => true,
                408 | 410 | 429 | 460 => true,
                300..=399 => true,
                501 | 505 | 511 => false,
                500..=599 => true,
                _ => false,
            };
            assert_eq!(retried, expected, "{status}");
            assert_eq!(outcome == Outcome::Delivered, status == 200, "{status}");
        }
    }

    #[test]
    fn each_kind_of_status_has_a_separate_name() {
        for (failure, code) in [
            (Failure::NotSegment(204), "not_segment"),
            (Failure::Status(302), "redirect"),
            (Failure::Status(400), "client_error"),
            (Failure::Status(429), "rate_limited"),
            (Failure::Status(500), "server_error"),
        ] {
            assert_eq!(failure.code(), code);
            assert!(failure.status().is_some());
        }
    }
}
