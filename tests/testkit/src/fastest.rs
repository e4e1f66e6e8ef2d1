//! How long work takes when nothing disturbs it.

use std::time::Instant;

/// Of several rounds the fastest counts: noise only ever adds.
const ROUNDS: usize = 7;

/// Microseconds for one `work`, which is done so many `times` a round.
pub fn fastest(times: usize, work: impl Fn()) -> f64 {
    let round = || {
        let begin = Instant::now();
        (0..times).for_each(|_| work());
        begin.elapsed().as_secs_f64() * 1e6 / times as f64
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
