//! A file that holds space on the disk, given up when there is no other: then what is stored can still be delivered.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// The file's name inside the data directory.
pub(super) const FILE: &str = "segue.reserve";

/// Bytes that are written at once.
const PART: usize = 1024 * 1024;

/// The space that deliveries need at the least, in bytes: for the log of what is received and deleted within a second.
pub(super) const LEAST: u64 = 8 * 1024 * 1024;

/// The reserve of a store. The file stays open: when it is needed, there may be no descriptor left either.
pub(super) struct Reserve {
    file: File,
    size: u64,
}

impl Reserve {
    /// The reserve in that file, with what an earlier process left.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, size })
    }

    /// Makes the reserve large enough for a log of so many bytes: to empty that into the database may take as much again.
    /// When there is no space for it, the reserve stays as it was.
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

    fn grow(&mut self, wanted: u64) -> io::Result<()> {
        // Noise: a file system that compresses would hold no space for zeros.
        let mut noise = vec![0; PART];
        fastrand::fill(&mut noise);
        let mut size = self.size;
        while size < wanted {
            self.file.write_all(&noise)?;
            size += PART as u64;
        }
        self.size = size;
        Ok(())
    }

    /// Gives its space back. Returns whether there was any.
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
