//! Segment takes 1,000 events a second from one workspace (Segment docs, "Rate limits"), whatever number of environments
//! sends them: each keeps to its share.

use std::time::Duration;

/// How long messages take at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    of_one: Duration,
}

impl Pace {
    /// The pace of one of `environments` that together send so many events a second. None of either is taken for one.
    pub fn shared(events_per_second: u32, environments: u32) -> Self {
        Self { of_one: Duration::from_secs(1) * environments.max(1) / events_per_second.max(1) }
    }

    /// How long so many messages take at least.
    pub(crate) fn of(self, messages: usize) -> Duration {
        self.of_one * u32::try_from(messages).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_as_long_as_its_share_of_the_rate_wants() {
        for (rate, environments, messages, expected) in
            [(1000, 5, 100, 500), (1000, 5, 1, 5), (1000, 2, 100, 200), (5000, 5, 100, 100), (0, 0, 1, 1_000)]
        {
            let least = Pace::shared(rate, environments).of(messages);
            assert_eq!(least.as_millis(), expected, "{rate} {environments} {messages}");
        }
        assert_eq!(Pace::default().of(usize::MAX), Duration::ZERO);
    }
}
