//! A file that holds space on the disk, given up when there is no other: then what is stored can still be delivered.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

/// The file's name inside the data directory.
pub(super) const FILE: &str = "segue.reserve";

/// Bytes that are written at once.
const PART: usize = 1024 * 1024;

/// The space that deliveries need at the least, in bytes: for the log of what is received and deleted within a second.
const LEAST: u64 = 8 * 1024 * 1024;

/// The reserve of a store.
pub(super) struct Reserve {
    path: PathBuf,
    size: u64,
}

impl Reserve {
    /// What an earlier process left.
    pub(super) fn at(path: PathBuf) -> Self {
        let size = fs::metadata(&path).map_or(0, |file| file.len());
        Self { path, size }
    }

    /// Makes the reserve large enough for a log of so many bytes: to empty that into the database may take as much again.
    /// When there is no space for it, the reserve stays as it was.
    pub(super) fn cover(&mut self, log: u64) -> io::Result<()> {
        let wanted = LEAST.max(log + PART as u64);
        if wanted <= self.size {
            return Ok(());
        }
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)?;
        if let Err(error) = self.grow(&mut file, wanted) {
            let _ = file.set_len(self.size);
            if self.size == 0 {
                self.give_up();
            }
            return Err(error);
        }
        Ok(())
    }

    fn grow(&mut self, file: &mut File, wanted: u64) -> io::Result<()> {
        // Noise: a file system that compresses would hold no space for zeros.
        let mut noise = vec![0; PART];
        fastrand::fill(&mut noise);
        let mut size = self.size;
        while size < wanted {
            file.write_all(&noise)?;
            size += PART as u64;
        }
        self.size = size;
        Ok(())
    }

    /// Gives its space back. Returns whether there was any.
    pub(super) fn give_up(&mut self) -> bool {
        self.size = 0;
        fs::remove_file(&self.path).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_grows_with_the_log_and_is_gone_when_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let mut reserve = Reserve::at(path.clone());
        reserve.cover(0).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), LEAST);
        reserve.cover(LEAST).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), LEAST + PART as u64);
        let mut reserve = Reserve::at(path.clone());
        reserve.cover(0).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), LEAST + PART as u64, "it never shrinks");
        assert!(reserve.give_up());
        assert!(!path.exists() && !reserve.give_up());
    }
}
