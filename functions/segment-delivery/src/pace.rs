//! Segment takes 1,000 events a second from one workspace (Segment docs, "Rate limits"), whatever number of environments
//! sends them: each keeps to its share.

use std::time::Duration;

use jiff::Timestamp;
use platform::clock::SharedClock;

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

    /// Waits until the messages whose batch began then may be followed by others.
    pub(crate) async fn keep(self, clock: &SharedClock, began: Timestamp, messages: usize) {
        let least = self.of_one * u32::try_from(messages).unwrap_or(u32::MAX);
        // On AWS the clock may have been set back, which is no reason to wait for longer.
        let taken = Duration::try_from(clock.steady().duration_since(began)).unwrap_or_default();
        let wait = least.saturating_sub(taken);
        if !wait.is_zero() {
            clock.sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use platform::clock::{Clock, HeldClock};

    use super::*;

    #[tokio::test]
    async fn a_batch_takes_as_long_as_its_share_of_the_rate_wants() {
        for (rate, environments, messages, taken, waited) in [
            (1000, 5, 100, 200, 300),
            (1000, 5, 100, 500, 0),
            (1000, 5, 100, 9_000, 0),
            (1000, 5, 1, 0, 5),
            (1000, 2, 100, 0, 200),
            (5000, 5, 100, 0, 100),
            (0, 0, 1, 0, 1_000),
        ] {
            let clock = HeldClock::at(Timestamp::UNIX_EPOCH);
            let began = clock.now();
            clock.advance(Duration::from_millis(taken));
            let shared: SharedClock = clock.clone();
            Pace::shared(rate, environments).keep(&shared, began, messages).await;
            let total = clock.now().duration_since(began).as_millis();
            assert_eq!(total, i128::from(taken + waited), "{rate} {environments} {messages} {taken}");
        }
    }

    #[tokio::test]
    async fn without_a_pace_nobody_waits() {
        let clock = HeldClock::at(Timestamp::UNIX_EPOCH);
        let shared: SharedClock = clock.clone();
        Pace::default().keep(&shared, clock.now(), usize::MAX).await;
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }
}
