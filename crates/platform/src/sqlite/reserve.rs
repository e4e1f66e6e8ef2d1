//! A file that holds space on the disk. When the disk is full, its space is given back, so that stored
//! messages can still be delivered.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The file's name inside the data directory.
pub(super) const FILE: &str = "segue.reserve";

/// The number of bytes in one write.
const PART: usize = 1024 * 1024;

/// The least space that deliveries need, in bytes: the log of the messages that are received and deleted
/// within a second.
pub(super) const LEAST: u64 = 8 * 1024 * 1024;

/// The reserve of a store. The file stays open, because no file descriptor may be left when it is needed.
pub(super) struct Reserve {
    file: File,
    size: u64,
    missing: u64,
}

impl Reserve {
    /// Opens the reserve in this file, with the size that an earlier process left.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, size, missing: 0 })
    }

    /// Makes the reserve large enough for a log of `log` bytes: emptying the log into the database may take
    /// as much space again. If the disk has too little space, the reserve stays as it was.
    pub(super) fn cover(&mut self, log: u64) -> io::Result<()> {
        let wanted = LEAST.max(log + PART as u64);
        if wanted <= self.size {
            return Ok(());
        }
        let grown = self.grow(wanted);
        if grown.is_err() {
            let _ = self.file.set_len(self.size);
        }
        grown
    }

    /// The number of bytes that the disk lacked when [`cover`](Self::cover) last failed.
    pub(super) fn missing(&self) -> u64 {
        self.missing
    }

    fn grow(&mut self, wanted: u64) -> io::Result<()> {
        // Random bytes: a compressing file system would reserve no space for zeros.
        let mut noise = vec![0; PART];
        fastrand::fill(&mut noise);
        let mut size = self.size;
        while size < wanted {
            self.missing = wanted - size;
            self.file.write_all(&noise)?;
            size += PART as u64;
        }
        self.size = size;
        Ok(())
    }

    /// Gives the space back to the disk. Returns whether there was any.
    pub(super) fn give_up(&mut self) -> bool {
        let had = self.size > 0;
        self.size = 0;
        self.file.set_len(0).is_ok() && had
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_grows_with_the_log_and_is_gone_when_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let size = || path.metadata().unwrap().len();
        let mut reserve = Reserve::open(&path).unwrap();
        reserve.cover(0).unwrap();
        assert_eq!(size(), LEAST);
        reserve.cover(LEAST).unwrap();
        assert_eq!(size(), LEAST + PART as u64);
        let mut reserve = Reserve::open(&path).unwrap();
        reserve.cover(0).unwrap();
        assert_eq!(size(), LEAST + PART as u64, "it never shrinks");
        assert!(reserve.give_up());
        assert_eq!(size(), 0);
        assert!(!reserve.give_up());
        reserve.cover(0).unwrap();
        assert_eq!(size(), LEAST);
    }
}
