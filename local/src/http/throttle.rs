//! Limits a log line that strangers can trigger: one line in a while, with a count.

use std::{
    fmt::Display,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The time between two lines.
const PAUSE: Duration = Duration::from_secs(10);

/// The count since the last line.
#[derive(Default)]
pub struct Throttle(Mutex<(Option<Instant>, u64)>);

impl Throttle {
    /// Counts an event, and calls `line` with the count if the pause is over.
    pub fn log(&self, line: impl FnOnce(&dyn Display)) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        if state.0.is_none_or(|last| last.elapsed() >= PAUSE) {
            line(&state.1);
            *state = (Some(Instant::now()), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_is_logged_at_once_and_later_ones_with_their_count() {
        let throttle = Throttle::default();
        let mut logged = Vec::new();
        for _ in 0..5 {
            throttle.log(|count| logged.push(count.to_string()));
        }
        throttle.0.lock().unwrap().0 = Instant::now().checked_sub(PAUSE);
        throttle.log(|count| logged.push(count.to_string()));
        assert_eq!(logged, ["1", "5"]);
    }
}
