//! Runs of a conservation test, each from a seed that makes its plan of faults.

use std::{
    env,
    panic::{RefUnwindSafe, catch_unwind},
};

/// Runs `run` for the seeds below `most`, or for those below `CONSERVATION_SEEDS`, or for `CONSERVATION_SEED` alone.
/// A failure names its seed.
pub fn for_each_seed<F: Future<Output = ()>>(most: u64, run: impl Fn(u64) -> F + RefUnwindSafe) {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seeds = match number("CONSERVATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("CONSERVATION_SEEDS").unwrap_or(most),
    };
    for seed in seeds {
        let run = catch_unwind(|| {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(seed));
        });
        assert!(run.is_ok(), "seed {seed} failed; run it alone with CONSERVATION_SEED={seed}");
    }
}
