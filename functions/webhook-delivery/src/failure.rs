//! Why a webhook did not take a message, and the meaning of its answer.

use std::time::Duration;

use delivery::Outcome;

/// Why an attempt failed. The text says what to check; it contains no URL, no header and no content of the
/// message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// An HTTP status other than success.
    #[error("the webhook answered {0}{advice}", advice = advice(*.0))]
    Status(u16),
    /// The deadline passed before the whole answer arrived.
    #[error("the webhook did not answer in time")]
    Timeout,
    /// DNS has no address for the host.
    #[error("no address was found for the webhook's host; check its name")]
    Resolve,
    /// The host is, or resolves to, an address that must not be called.
    #[error("the webhook's host has no public address; private addresses are called only if you allow them")]
    NoPublicAddress,
    /// The certificate is not trusted: it is self-signed, expired, or for another host.
    #[error("the webhook's certificate is not valid for its host; self-signed certificates are not accepted")]
    Certificate,
    /// No connection: TCP, or TLS other than the certificate.
    #[error("no connection to the webhook; check its port and its network")]
    Connect,
    /// The connection broke during the exchange.
    #[error("the connection to the webhook broke")]
    Transport,
    /// The head of the answer is too large.
    #[error("the head of the webhook's answer is too large; send 1,000 headers and 256 KB at most")]
    Head,
    /// The webhook's URL cannot be called.
    #[error("the webhook's URL is neither http nor https")]
    Scheme,
}

impl Failure {
    /// Returns a short name for metrics and for the dead-letter queue's `failure` attribute.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Status(429) => "rate_limited",
            Self::Status(500..=599) => "server_error",
            Self::Status(300..=399) => "redirect",
            Self::Status(_) => "client_error",
            Self::Timeout => "timeout",
            Self::Resolve => "resolve",
            Self::NoPublicAddress => "blocked",
            Self::Certificate => "certificate",
            Self::Connect => "connect",
            Self::Transport => "transport",
            Self::Head => "answer_head",
            Self::Scheme => "invalid",
        }
    }

    /// Returns the outcome for an HTTP status. Segment's classic webhooks retry timeouts and 5xx. The
    /// statuses 408, 425 and 429 also mean that a later attempt may succeed. All others are final, including
    /// redirects: a redirect is never followed, because it could lead to a private address or send the
    /// message to somebody else.
    pub fn outcome_of_status(status: u16, after: Option<Duration>) -> Outcome {
        let failure = Self::Status(status);
        match status {
            200..=299 => Outcome::Delivered,
            408 | 425 | 429 | 500..=599 => Outcome::Retry { failure: failure.into(), after },
            _ => Outcome::Rejected(failure.into()),
        }
    }
}

impl From<Failure> for delivery::Failure {
    fn from(failure: Failure) -> Self {
        let status = match failure {
            Failure::Status(status) => Some(status),
            _ => None,
        };
        Self { code: failure.code(), reason: failure.to_string(), status }
    }
}

/// Returns the advice for a status that will not change by itself.
fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => ", a redirect, and those are never followed; change its URL to the new address",
        401 | 403 => "; check its headers and its shared secret",
        404 | 405 => "; check its URL",
        410 => ": the webhook is permanently gone; remove it from the configuration",
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
            let failure = Failure::Status(status).into();
            let expected = if (200..300).contains(&status) {
                Outcome::Delivered
            } else if (500..600).contains(&status) || [408, 425, 429].contains(&status) {
                Outcome::Retry { failure, after }
            } else {
                Outcome::Rejected(failure)
            };
            assert_eq!(Failure::outcome_of_status(status, after), expected, "{status}");
        }
    }

    #[test]
    fn every_status_says_what_to_check() {
        for (status, code, text) in [
            (
                302,
                "redirect",
                ", a redirect, and those are never followed; change its URL to the new address",
            ),
            (401, "client_error", "; check its headers and its shared secret"),
            (404, "client_error", "; check its URL"),
            (410, "client_error", ": the webhook is permanently gone; remove it from the configuration"),
            (429, "rate_limited", ""),
            (500, "server_error", ""),
        ] {
            let reason = format!("the webhook answered {status}{text}");
            let expected = delivery::Failure { code, reason, status: Some(status) };
            assert_eq!(delivery::Failure::from(Failure::Status(status)), expected);
        }
    }
}
