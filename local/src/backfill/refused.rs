//! Users that cannot be sent, kept with the reason.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::private_file;

/// One that cannot be sent.
pub struct Refusal {
    /// Where it was found.
    pub place: String,
    /// Why, in one word.
    pub reason: &'static str,
    /// Why, in a sentence.
    pub problem: String,
    /// The message, where there is one.
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

/// The file, which is made with the first of them.
pub struct RefusedFile {
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl RefusedFile {
    /// The file at `path`, of which `bytes` are of batches that are done with.
    pub fn new(path: PathBuf, bytes: u64) -> Self {
        Self { path, file: None, bytes }
    }

    /// Where it is, when there is anything in it.
    pub fn path(&self) -> Option<&PathBuf> {
        (self.bytes > 0).then_some(&self.path)
    }

    /// Writes these. When this returns they are on disk; returns how long the file is then.
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
    fn what_a_crash_left_behind_is_not_there_twice() {
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
