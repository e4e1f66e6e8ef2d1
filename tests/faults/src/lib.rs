//! System faults for a process under test: a full or broken disk, too little memory, a clock that jumps. They
//! can be switched while the process runs, and need no privileges: `preload/` intercepts calls to libc. A
//! [`Record`] holds the order in which the process wrote, synced, received and answered. [`PowerLoss`] cuts
//! it short.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test support")]

mod exchanges;
mod order;
mod plan;
mod power_loss;
mod preload;
mod record;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use self::plan::{Plan, Slot};
pub use self::{
    exchanges::{Exchange, exchanges, message_ids},
    order::unproven,
    power_loss::PowerLoss,
    record::{Event, Record},
};

/// The error numbers of disks, on Linux.
pub mod errno {
    /// The device is broken.
    pub const EIO: i32 = 5;
    /// The disk is full.
    pub const ENOSPC: i32 = 28;
    /// The disk was remounted read-only.
    pub const EROFS: i32 = 30;
    /// The user's disk quota is used up.
    pub const EDQUOT: i32 = 122;
}

/// The faults of one process, which may be restarted with them. There are none at the beginning.
pub struct Faults {
    directory: PathBuf,
    plan: Plan,
    record: PathBuf,
    records: bool,
    _scratch: tempfile::TempDir,
}

impl Faults {
    /// Returns faults for the files in this directory. Creates it if needed.
    pub fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let record = scratch.path().join("record");
        fs::write(&record, []).unwrap();
        let plan = Plan::new(scratch.path().join("plan"));
        // The process uses the path that it was given, but descriptors show the real path.
        let directory = directory.canonicalize().unwrap();
        Self { directory, plan, record, records: false, _scratch: scratch }
    }

    /// Returns faults for the files in this directory, and records the actions of the process.
    pub fn recorded(directory: &Path) -> Self {
        Self { records: true, ..Self::new(directory) }
    }

    /// Adds the intercepting library to a command that is to be started.
    pub fn preload(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", preload::library())
            .env("SEGUE_FAULTS_DIR", &self.directory)
            .env("SEGUE_FAULTS_PLAN", &self.plan.path);
        if self.records {
            command.env("SEGUE_FAULTS_RECORD", &self.record);
        }
    }

    /// Returns the record so far.
    pub fn record(&self) -> Record {
        Record::read(&self.record)
    }

    /// Copies the record to a place that survives the test. Returns the path.
    pub fn keep_record(&self) -> PathBuf {
        let (_, path) = tempfile::NamedTempFile::new().unwrap().keep().unwrap();
        fs::copy(&self.record, &path).unwrap();
        path
    }

    /// Returns the number of bytes in the files.
    pub fn used(&self) -> u64 {
        let files = fs::read_dir(&self.directory).unwrap();
        // A file may be removed in the meantime.
        let files = files.filter_map(|file| file.unwrap().metadata().ok());
        files.filter(fs::Metadata::is_file).map(|file| file.len()).sum()
    }

    /// Makes the disk full with its current content.
    pub fn disk_is_full(&self) {
        self.leave_room(0);
    }

    /// Leaves room for this many more bytes on the disk.
    pub fn leave_room(&self, bytes: u64) {
        self.disk_size(Some((self.used() + bytes).max(1)));
    }

    /// Sets the size of the disk. `None` makes it large enough.
    pub fn disk_size(&self, bytes: Option<u64>) {
        self.plan.set(Slot::DiskSize, bytes.map_or(0, |bytes| bytes.try_into().unwrap()));
    }

    /// Makes every write fail with this error.
    pub fn fail_writes(&self, errno: Option<i32>) {
        self.plan.set(Slot::Writes, errno.unwrap_or(0).into());
    }

    /// Makes every sync fail with this error.
    pub fn fail_syncs(&self, errno: Option<i32>) {
        self.plan.set(Slot::Syncs, errno.unwrap_or(0).into());
    }

    /// Makes every sync slower by this time.
    pub fn slow_syncs(&self, by: Duration) {
        self.plan.set(Slot::SyncDelay, by.as_millis().try_into().unwrap());
    }

    /// Makes changes of a file's length fail with this error.
    pub fn fail_truncates(&self, errno: Option<i32>) {
        self.plan.set(Slot::Truncates, errno.unwrap_or(0).into());
    }

    /// Makes opening a file for writing fail with this error.
    pub fn fail_opens(&self, errno: Option<i32>) {
        self.plan.set(Slot::Opens, errno.unwrap_or(0).into());
    }

    /// Performs only the first half of each write, as if a signal interrupted it.
    pub fn short_writes(&self, on: bool) {
        self.plan.set(Slot::ShortWrites, on.into());
    }

    /// Gives SQLite no memory for further pages.
    pub fn fail_memory(&self, on: bool) {
        self.plan.set(Slot::Memory, on.into());
    }

    /// Shifts the wall clock by this many milliseconds. The monotonic clock is not shifted.
    pub fn shift_clock(&self, milliseconds: i64) {
        self.plan.set(Slot::Clock, milliseconds);
    }

    /// Ends all faults.
    pub fn end(&self) {
        Slot::ALL.into_iter().for_each(|slot| self.plan.set(slot, 0));
    }
}
