//! The pace of sending. Segment takes 1,000 events a second from one workspace (Segment docs, "Rate limits"),
//! no matter how many environments send them, so each environment gets a share.

use std::time::Duration;

/// The shortest time that messages may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    of_one: Duration,
}

impl Pace {
    /// Returns the pace of one of `environments` that together send this many events a second. Zero counts as
    /// one for both.
    pub fn shared(events_per_second: u32, environments: u32) -> Self {
        Self { of_one: Duration::from_secs(1) * environments.max(1) / events_per_second.max(1) }
    }

    /// Returns the shortest time for this many messages.
    pub(crate) fn of(self, messages: usize) -> Duration {
        self.of_one * u32::try_from(messages).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_takes_the_time_of_its_share_of_the_rate() {
        for (rate, environments, messages, expected) in
            [(1000, 5, 100, 500), (1000, 5, 1, 5), (1000, 2, 100, 200), (5000, 5, 100, 100), (0, 0, 1, 1_000)]
        {
            let least = Pace::shared(rate, environments).of(messages);
            assert_eq!(least.as_millis(), expected, "{rate} {environments} {messages}");
        }
        assert_eq!(Pace::default().of(usize::MAX), Duration::ZERO);
    }
}
