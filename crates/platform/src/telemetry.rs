//! Recording how messages end: the one place that counts and logs outcomes, for every function.

use std::{error::Error, fmt};

/// What became of messages. Each is one metric name; the reason is its only dimension, to keep the cost low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Published to the topic.
    Accepted,
    /// Understood, authentic, and of no interest.
    Ignored,
    /// Refused with a 4xx, or 503 when the topic was not there.
    Refused,
    /// Taken by the destination.
    Delivered,
    /// To be tried again.
    Retried,
    /// In the dead-letter queue.
    DeadLettered,
}

impl Event {
    /// The metric's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Refused => "refused",
            Self::Delivered => "delivered",
            Self::Retried => "retried",
            Self::DeadLettered => "dead_lettered",
        }
    }
}

/// Records that `count` messages ended in `event` for `reason`. Neither may hold personal data.
pub fn record(event: Event, reason: &str, count: usize) {
    if count == 0 {
        return;
    }
    match event {
        Event::Accepted | Event::Ignored | Event::Delivered => {
            tracing::info!(event = event.as_str(), reason, count, "Messages recorded.");
        }
        Event::Refused | Event::Retried | Event::DeadLettered => {
            tracing::warn!(event = event.as_str(), reason, count, "Messages recorded.");
        }
    }
}

/// Prints an error with its causes, as logs want it: `the call failed: dispatch failure: timeout`.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(formatter, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::PublishError;

    #[test]
    fn a_chain_names_every_cause() {
        let error = PublishError(Box::new(PublishError("the disk is full".into())));
        assert_eq!(
            Chain(&error).to_string(),
            "the message topic did not take the messages: the message topic did not take the messages: the disk is full"
        );
    }
}
