//! Faults of the system for a process under test: a disk that is full or broken, memory that is not there, a clock that
//! jumps. They come on demand while the process runs, and need no rights: `preload/` stands before libc there.
//! A [`Record`] says in which order the process wrote, synced, received and answered; [`PowerLoss`] cuts it short.

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

/// The numbers of the errors that disks give, on Linux.
pub mod errno {
    /// The device is broken.
    pub const EIO: i32 = 5;
    /// The disk is full.
    pub const ENOSPC: i32 = 28;
    /// The disk was mounted anew to be read only.
    pub const EROFS: i32 = 30;
    /// The user's share of the disk is used up.
    pub const EDQUOT: i32 = 122;
}

/// The faults of one process, which may be started again with them. None to begin with.
pub struct Faults {
    directory: PathBuf,
    plan: Plan,
    record: PathBuf,
    records: bool,
    _scratch: tempfile::TempDir,
}

impl Faults {
    /// Faults for the files in this directory, which is made if need be.
    pub fn new(directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let record = scratch.path().join("record");
        fs::write(&record, []).unwrap();
        let plan = Plan::new(scratch.path().join("plan"));
        // The process names its files by the path that it was given; descriptors know the real one.
        let directory = directory.canonicalize().unwrap();
        Self { directory, plan, record, records: false, _scratch: scratch }
    }

    /// The same, and what the process does is recorded.
    pub fn recorded(directory: &Path) -> Self {
        Self { records: true, ..Self::new(directory) }
    }

    /// Puts the faults before libc in a process that is to be started.
    pub fn preload(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", preload::library())
            .env("SEGUE_FAULTS_DIR", &self.directory)
            .env("SEGUE_FAULTS_PLAN", &self.plan.path);
        if self.records {
            command.env("SEGUE_FAULTS_RECORD", &self.record);
        }
    }

    /// The record so far.
    pub fn record(&self) -> Record {
        Record::read(&self.record)
    }

    /// A copy of the record that stays when the test is over; where it is.
    pub fn keep_record(&self) -> PathBuf {
        let (_, path) = tempfile::NamedTempFile::new().unwrap().keep().unwrap();
        fs::copy(&self.record, &path).unwrap();
        path
    }

    /// The bytes that the files take.
    pub fn used(&self) -> u64 {
        let files = fs::read_dir(&self.directory).unwrap();
        // One may be removed meanwhile.
        let files = files.filter_map(|file| file.unwrap().metadata().ok());
        files.filter(fs::Metadata::is_file).map(|file| file.len()).sum()
    }

    /// The disk is as large as what is on it, from now on.
    pub fn disk_is_full(&self) {
        self.leave_room(0);
    }

    /// The disk has room for so many bytes more.
    pub fn leave_room(&self, bytes: u64) {
        self.disk_size(Some((self.used() + bytes).max(1)));
    }

    /// The size of the disk, or one that is large enough.
    pub fn disk_size(&self, bytes: Option<u64>) {
        self.plan.set(Slot::DiskSize, bytes.map_or(0, |bytes| bytes.try_into().unwrap()));
    }

    /// Every write fails so.
    pub fn fail_writes(&self, errno: Option<i32>) {
        self.plan.set(Slot::Writes, errno.unwrap_or(0).into());
    }

    /// Every sync fails so.
    pub fn fail_syncs(&self, errno: Option<i32>) {
        self.plan.set(Slot::Syncs, errno.unwrap_or(0).into());
    }

    /// Every sync takes so much longer.
    pub fn slow_syncs(&self, by: Duration) {
        self.plan.set(Slot::SyncDelay, by.as_millis().try_into().unwrap());
    }

    /// No file can be made shorter or longer.
    pub fn fail_truncates(&self, errno: Option<i32>) {
        self.plan.set(Slot::Truncates, errno.unwrap_or(0).into());
    }

    /// No file can be opened to be written.
    pub fn fail_opens(&self, errno: Option<i32>) {
        self.plan.set(Slot::Opens, errno.unwrap_or(0).into());
    }

    /// Of each write only the first half is done, as a signal in its middle makes it.
    pub fn short_writes(&self, on: bool) {
        self.plan.set(Slot::ShortWrites, on.into());
    }

    /// SQLite gets no memory for further pages.
    pub fn fail_memory(&self, on: bool) {
        self.plan.set(Slot::Memory, on.into());
    }

    /// The wall clock is off by so many milliseconds; the monotonic one is not.
    pub fn shift_clock(&self, milliseconds: i64) {
        self.plan.set(Slot::Clock, milliseconds);
    }

    /// All is well from now on.
    pub fn end(&self) {
        Slot::ALL.into_iter().for_each(|slot| self.plan.set(slot, 0));
    }
}
