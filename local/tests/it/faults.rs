//! A message that was answered 200 is in a queue, delivered, or a dead letter, also when the disk is full or broken, the memory or
//! the descriptors run out, the directory goes, or the clock jumps. Each test makes one fault under load.
//!
//! `FAULT_ROUNDS=20` repeats those that depend on chance.

mod clock;
mod directory;
mod full_disk;
mod limits;
mod load;
mod memory;
mod order;
mod power_loss;
mod subject;
mod syncs;
mod writes;

/// How often a test that depends on chance is run.
fn rounds() -> std::ops::Range<u32> {
    0..std::env::var("FAULT_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}
