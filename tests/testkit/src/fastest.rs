//! Measures how long work takes without disturbance.

use std::time::Instant;

/// The number of rounds. The fastest counts, because noise only adds time.
const ROUNDS: usize = 7;

/// Returns the microseconds for one `work`, which runs this many `times` in each round.
pub fn fastest(times: usize, work: impl Fn()) -> f64 {
    let round = || {
        let begin = Instant::now();
        (0..times).for_each(|_| work());
        begin.elapsed().as_secs_f64() * 1e6 / times as f64
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
