//! How a call to a webhook ended, and what that means for its message.

use std::time::Duration;

/// How an attempt ended for one message and one webhook. There is no fourth way.
#[must_use = "a message whose outcome is ignored is lost"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The webhook took it.
    Delivered,
    /// It may be taken later.
    Retry {
        /// Why it was not taken now.
        failure: Failure,
        /// How long the webhook asked to wait, when it did.
        after: Option<Duration>,
    },
    /// It will never be taken as it is.
    Rejected(Failure),
}

/// Why an attempt failed. The text names what to look at; it holds no URL, no header and no content of the
/// message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// An HTTP status other than success.
    #[error("the webhook answered {0}{advice}", advice = advice(*.0))]
    Status(u16),
    /// The deadline passed before the whole answer was there.
    #[error("the webhook did not answer in time")]
    Timeout,
    /// DNS has no address for the host.
    #[error("no address was found for the webhook's host; check its name")]
    Resolve,
    /// The host is, or has, an address that must not be reached.
    #[error("the webhook's host has no public address; private ones are not called unless that is allowed")]
    Blocked,
    /// The certificate is not one to trust: self-signed, expired, for another host.
    #[error("the webhook's certificate is not valid for its host; self-signed ones are not accepted")]
    Certificate,
    /// No connection: TCP, or TLS other than the certificate.
    #[error("no connection to the webhook; check its port and its network")]
    Connect,
    /// The connection broke during the exchange.
    #[error("the connection to the webhook broke")]
    Transport,
    /// The head of the answer is larger than what is read.
    #[error("the head of the webhook's answer is too large; send 1,000 headers and 256 KB at most")]
    Head,
    /// The code that handled it panicked.
    #[error("the handler panicked on this message; please report it")]
    Panic,
    /// What was in the queue cannot be sent.
    #[error("{0}")]
    Invalid(String),
    /// There is no webhook of the name that it was queued for.
    #[error("no webhook of that name is configured any more")]
    NoWebhook,
    /// Where the secrets are kept could not be reached.
    #[error("the secret of the webhook could not be read")]
    SecretUnavailable,
    /// Nothing was sent, as earlier calls failed one after the other.
    #[error("the webhook was not called because it kept failing")]
    CalledOff,
    /// It was retried for as long as messages are.
    #[error("it was retried for the whole retry window; at its end {last}")]
    Expired {
        /// How the last attempt failed, or why there was none.
        last: Box<Failure>,
    },
}

impl Failure {
    /// A short name for metrics and for the dead-letter queue's `failure` attribute.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Status(429) => "rate_limited",
            Self::Status(500..=599) => "server_error",
            Self::Status(300..=399) => "redirect",
            Self::Status(_) => "client_error",
            Self::Timeout => "timeout",
            Self::Resolve => "resolve",
            Self::Blocked => "blocked",
            Self::Certificate => "certificate",
            Self::Connect => "connect",
            Self::Transport => "transport",
            Self::Head => "answer_head",
            Self::Panic => "panic",
            Self::Invalid(_) => "invalid",
            Self::NoWebhook => "no_webhook",
            Self::SecretUnavailable => "secret_unavailable",
            Self::CalledOff => "called_off",
            Self::Expired { .. } => "expired",
        }
    }

    /// The HTTP status, where there was one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(*status),
            Self::Expired { last } => last.status(),
            _ => None,
        }
    }
}

impl Outcome {
    /// The meaning of an HTTP status. Segment's classic webhooks retry timeouts and 5xx; 408, 425 and 429 say
    /// themselves that a later attempt may succeed. Nothing else does, a redirect included: it is never
    /// followed, since it might lead to a private address or take the message to somebody else.
    pub fn of_status(status: u16, after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Delivered,
            408 | 425 | 429 | 500..=599 => Self::Retry { failure: Failure::Status(status), after },
            _ => Self::Rejected(Failure::Status(status)),
        }
    }
}

/// What to do about a status that will not mend itself.
fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ", a redirect, and those are never followed; change its URL to the new address",
        401 | 403 => "; check its headers and its shared secret",
        404 | 405 => "; check its URL",
        410 => ": it is gone for good; remove it from the configuration",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_a_delivery_a_retry_or_a_rejection() {
        let after = Some(Duration::from_secs(7));
        for status in 100..=999 {
            let expected = if (200..300).contains(&status) {
                Outcome::Delivered
            } else if (500..600).contains(&status) || [408, 425, 429].contains(&status) {
                Outcome::Retry { failure: Failure::Status(status), after }
            } else {
                Outcome::Rejected(Failure::Status(status))
            };
            assert_eq!(Outcome::of_status(status, after), expected, "{status}");
        }
    }

    #[test]
    fn every_failure_says_what_to_look_at() {
        let expired = Failure::Expired { last: Box::new(Failure::Status(503)) };
        for (failure, code, status, text) in [
            (
                Failure::Status(302),
                "redirect",
                Some(302),
                "the webhook answered 302, a redirect, and those are never followed; change its URL to the new address",
            ),
            (
                Failure::Status(401),
                "client_error",
                Some(401),
                "the webhook answered 401; check its headers and its shared secret",
            ),
            (Failure::Status(404), "client_error", Some(404), "the webhook answered 404; check its URL"),
            (
                Failure::Status(410),
                "client_error",
                Some(410),
                "the webhook answered 410: it is gone for good; remove it from the configuration",
            ),
            (Failure::Status(429), "rate_limited", Some(429), "the webhook answered 429"),
            (Failure::Status(500), "server_error", Some(500), "the webhook answered 500"),
            (Failure::Invalid("it is not JSON".to_owned()), "invalid", None, "it is not JSON"),
            (
                expired,
                "expired",
                Some(503),
                "it was retried for the whole retry window; at its end the webhook answered 503",
            ),
        ] {
            assert_eq!(
                (failure.code(), failure.status(), failure.to_string().as_str()),
                (code, status, text)
            );
        }
    }
}
