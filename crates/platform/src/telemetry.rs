//! Recording how messages end: the one place that counts and logs outcomes, for every function.

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
