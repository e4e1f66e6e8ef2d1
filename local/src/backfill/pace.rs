//! The pace that Segment asks for.

use std::time::Duration;

use jiff::Timestamp;

/// The most events a second that Segment takes of a workspace (Segment docs, "Rate limits").
pub const SEGMENTS_RATE: u32 = 1_000;

/// Spreads events evenly: what is sent now makes the next wait.
pub struct Pace {
    rate: u32,
    free_at: Timestamp,
    /// How long the events before these take, which no wait exceeds: the machine's clock may be set back.
    last: Duration,
}

impl Pace {
    /// At most `rate` events a second.
    pub fn new(rate: u32) -> Self {
        Self { rate, free_at: Timestamp::MIN, last: Duration::ZERO }
    }

    /// How many events go at once: half a second's, so that any second has no more than the rate.
    pub fn at_once(&self) -> usize {
        (self.rate / 2).clamp(1, 500) as usize
    }

    /// How long to wait before `events` may be sent.
    pub fn wait(&mut self, now: Timestamp, events: usize) -> Duration {
        let wait = Duration::try_from(self.free_at.duration_since(now)).unwrap_or_default().min(self.last);
        // Only whole batches fit into a second.
        let at_once = self.at_once();
        let rate = self.rate as usize / at_once * at_once;
        self.last = Duration::from_secs_f64(events as f64 / rate as f64);
        self.free_at = now.checked_add(wait + self.last).unwrap_or(now);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    #[test]
    fn no_second_has_more_events_than_the_rate() {
        for rate in [1, 7, 10, 500, 1_000] {
            let mut pace = Pace::new(rate);
            let (mut now, mut sent) = (at(0), Vec::new());
            for _ in 0..50 {
                now = now.checked_add(pace.wait(now, pace.at_once())).unwrap();
                sent.push(now);
            }
            for start in &sent {
                let end = start.checked_add(Duration::from_millis(999)).unwrap();
                let batches = sent.iter().filter(|time| (*start..=end).contains(*time)).count();
                assert!(batches * pace.at_once() <= rate as usize, "{rate}: {batches}");
            }
        }
    }

    #[test]
    fn who_is_slower_than_the_rate_never_waits_and_saves_nothing_up() {
        let mut pace = Pace::new(1_000);
        for second in 0..3 {
            assert_eq!(pace.wait(at(second * 1_000), 500), Duration::ZERO);
        }
        assert_eq!(pace.wait(at(2_100), 500), Duration::from_millis(400));
    }

    #[test]
    fn a_clock_that_is_set_back_costs_one_batch_at_most() {
        let mut pace = Pace::new(1_000);
        assert_eq!(pace.wait(at(10_000_000), 500), Duration::ZERO);
        assert_eq!(pace.wait(at(0), 500), Duration::from_millis(500));
        assert_eq!(pace.wait(at(500), 500), Duration::from_millis(500));
    }
}
