//! An accepted message (answered 200) stays in a queue, is delivered, or is a dead letter: even with a full
//! or broken disk, without memory or descriptors, without the directory, and with a jumping clock. Each test
//! makes one fault under load.
//!
//! `FAULT_ROUNDS=20` repeats the tests that depend on chance.

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

/// The rounds of a test that depends on chance.
fn rounds() -> std::ops::Range<u32> {
    0..std::env::var("FAULT_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}
