//! A log line that says how often something was, at most one in a while: strangers decide how often it is.

use std::{
    fmt::Display,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The time between two lines.
const PAUSE: Duration = Duration::from_secs(10);

/// How often it was since the last line.
#[derive(Default)]
pub struct Throttle(Mutex<(Option<Instant>, u64)>);

impl Throttle {
    /// Counts it, and has `line` say the count when it is time.
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
    fn the_first_is_told_at_once_and_the_next_later_with_their_count() {
        let throttle = Throttle::default();
        let mut told = Vec::new();
        for _ in 0..5 {
            throttle.log(|count| told.push(count.to_string()));
        }
        throttle.0.lock().unwrap().0 = Instant::now().checked_sub(PAUSE);
        throttle.log(|count| told.push(count.to_string()));
        assert_eq!(told, ["1", "5"]);
    }
}
