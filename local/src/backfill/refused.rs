//! The file of users that cannot be sent, each with the reason.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::private_file;

/// A user that cannot be sent.
pub struct Refusal {
    /// The place in the source, such as `line 3`.
    pub place: String,
    /// The reason in one word.
    pub reason: &'static str,
    /// The reason in a sentence.
    pub problem: String,
    /// The message, if there is one.
    pub message: Option<Value>,
}

impl Refusal {
    fn line(&self) -> String {
        let mut line =
            json!({"place": self.place, "reason": self.reason, "problem": self.problem, "message": self.message})
                .to_string();
        line.push('\n');
        line
    }
}

/// The file. It is created for the first refused user.
pub struct RefusedFile {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl RefusedFile {
    /// Returns the file at `path`. Its first `bytes` belong to batches that are done.
    pub fn new(path: PathBuf, bytes: u64) -> Self {
        Self { path, file: None, bytes }
    }

    /// Returns its path, if there is anything in it.
    pub fn path(&self) -> Option<&PathBuf> {
        (self.bytes > 0).then_some(&self.path)
    }

    /// Appends these and returns the new length of the file. When this returns, they are on disk.
    pub fn write(&mut self, refusals: &[Refusal]) -> io::Result<u64> {
        if refusals.is_empty() {
            return Ok(self.bytes);
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = private_file::open(&self.path)?;
                file.set_len(self.bytes)?;
                file.seek(SeekFrom::End(0))?;
                self.file.insert(file)
            }
        };
        let lines: String = refusals.iter().map(Refusal::line).collect();
        file.write_all(lines.as_bytes())?;
        file.sync_data()?;
        self.bytes += lines.len() as u64;
        Ok(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_a_crash_left_behind_are_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refused.ndjson");
        let refusal = |place: &str| Refusal {
            place: place.to_owned(),
            reason: "unusable",
            problem: "user.id is missing".to_owned(),
            message: None,
        };
        let mut file = RefusedFile::new(path.clone(), 0);
        assert_eq!(file.path(), None);
        let bytes = file.write(&[refusal("line 1")]).unwrap();
        file.write(&[refusal("line 2")]).unwrap();
        let mut again = RefusedFile::new(path, bytes);
        again.write(&[refusal("line 2")]).unwrap();
        again.write(&[]).unwrap();
        let text = std::fs::read_to_string(again.path().unwrap()).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("line 1") && text.contains("line 2"), "{text}");
    }
}
