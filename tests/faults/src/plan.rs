//! The plan of faults: a file of numbers that the process maps into its memory.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::PathBuf,
};

/// The meaning of each number, in the order of `preload/plan.h`.
#[derive(Clone, Copy)]
pub(crate) enum Slot {
    Writes,
    Syncs,
    SyncDelay,
    Truncates,
    Opens,
    DiskSize,
    ShortWrites,
    Memory,
    Clock,
}

impl Slot {
    pub(crate) const ALL: [Self; 9] = [
        Self::Writes,
        Self::Syncs,
        Self::SyncDelay,
        Self::Truncates,
        Self::Opens,
        Self::DiskSize,
        Self::ShortWrites,
        Self::Memory,
        Self::Clock,
    ];
}

pub(crate) struct Plan {
    pub(crate) path: PathBuf,
    file: File,
}

impl Plan {
    pub(crate) fn new(path: PathBuf) -> Self {
        fs::write(&path, [0; Slot::ALL.len() * size_of::<i64>()]).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        Self { path, file }
    }

    /// The kernel shows a write at once to every process that maps the file.
    pub(crate) fn set(&self, slot: Slot, value: i64) {
        let offset = slot as u64 * size_of::<i64>() as u64;
        self.file.write_all_at(&value.to_ne_bytes(), offset).unwrap();
    }
}
