//! Power cuts in made-up records.

#![cfg(target_os = "linux")]

use fastrand::Rng;
use faults::{Event, PowerLoss};

const CUTS: u64 = 200;

fn event(kind: fn(String) -> Event) -> Event {
    kind("wal".to_owned())
}

fn created() -> Event {
    event(|file| Event::Created { file })
}

fn written(offset: u64, length: usize) -> Event {
    Event::Written { file: "wal".to_owned(), offset, bytes: vec![b'x'; length] }
}

fn synced() -> Event {
    event(|file| Event::Synced { file })
}

fn directory_synced() -> Event {
    Event::Synced { file: String::new() }
}

/// Returns the lengths that the file may have after these events. `None` means that it is missing.
fn lengths(events: &[Event]) -> Vec<Option<usize>> {
    let mut power = PowerLoss::new(events);
    power.advance(events.len());
    let cut = |seed| power.cut(&mut Rng::with_seed(seed)).get("wal").map(Vec::len);
    let mut lengths: Vec<_> = (0..CUTS).map(cut).collect();
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

#[test]
fn synced_content_always_survives() {
    let events = [created(), directory_synced(), written(0, 4_096), synced()];
    assert_eq!(lengths(&events), [Some(4_096)]);
}

#[test]
fn content_that_was_not_synced_survives_or_not_or_in_part() {
    let events = [created(), directory_synced(), written(0, 1_024), synced(), written(1_024, 1_024)];
    assert_eq!(lengths(&events), [Some(1_024), Some(1_536), Some(2_048)]);
}

#[test]
fn a_file_is_missing_until_its_name_is_synced() {
    assert_eq!(lengths(&[created(), written(0, 512), synced()]), [None, Some(512)]);
}

#[test]
fn a_removed_file_may_come_back_until_the_removal_is_synced() {
    let removed = || event(|file| Event::Removed { file });
    let before = [created(), written(0, 512), synced(), directory_synced(), removed()];
    assert_eq!(lengths(&before), [None, Some(512)]);
    let after = [&before[..], &[directory_synced()]].concat();
    assert_eq!(lengths(&after), [None]);
}

#[test]
fn a_write_that_a_cut_interrupts_is_torn_at_a_sector() {
    let events = [created(), directory_synced(), written(0, 1_024)];
    let mut power = PowerLoss::new(&events);
    power.advance(2);
    let cut = |seed| power.cut(&mut Rng::with_seed(seed))["wal"].len();
    let lengths: std::collections::BTreeSet<_> = (0..CUTS).map(cut).collect();
    assert_eq!(lengths, [0, 512, 1_024].into());
}
