//! The checkpoint of a backfill: a file that is replaced atomically after each batch, with a lock file beside
//! it.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use platform::{encoding::hex, sqlite::private_directory};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{source::Position, summary::Counts};
use crate::{error::CommandError, private_file};

/// The version of the file's format.
const VERSION: u32 = 1;

/// The content of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    version: u32,
    /// A name for the backfill, for people.
    pub what: String,
    /// Where the next run continues. Each user before it is sent, skipped or refused.
    pub position: Option<Position>,
    /// The counts of the users before it.
    pub counts: Counts,
    /// The length of the file of refused users. A crash may leave more in it, from a batch that comes again.
    pub refused_bytes: u64,
    /// Whether the backfill is finished.
    pub finished: bool,
    /// Data that the source saves for the next run.
    pub source: Value,
}

/// How many bytes at each end of an export file go into its fingerprint.
const END_BYTES: u64 = 64 * 1024;

/// The checkpoint of one backfill, locked against other processes.
pub struct State {
    path: PathBuf,
    _lock: File,
    /// The content of the file.
    pub checkpoint: Checkpoint,
}

/// Returns a short hash of these texts.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    hex(&context.finish().as_ref()[..8])
}

/// Returns the size of a file and a hash of its two ends, to notice when another file has its name.
fn file_mark(file: &mut File, size: u64) -> io::Result<Value> {
    let mut context = Context::new(&SHA256);
    for start in [0, size.saturating_sub(END_BYTES)] {
        file.seek(SeekFrom::Start(start))?;
        let mut end = Vec::new();
        Read::by_ref(file).take(END_BYTES).read_to_end(&mut end)?;
        context.update(&end);
    }
    file.rewind()?;
    Ok(json!({"bytes": size, "ends": hex(&context.finish().as_ref()[..16])}))
}

impl State {
    /// Opens the checkpoint `name` in `directory`, or begins one. `what` names the backfill for people.
    /// `restart` removes the files of earlier runs.
    ///
    /// # Errors
    /// A sentence when another process runs the same backfill, or the files cannot be used.
    pub fn open(directory: &Path, name: &str, what: &str, restart: bool) -> Result<Self, CommandError> {
        let unusable = |error: io::Error| {
            let directory = directory.display();
            format!(
                "the checkpoint cannot be kept in {directory}: {error}; choose another folder with --data-dir"
            )
        };
        private_directory(directory).map_err(unusable)?;
        let path = directory.join(format!("{name}.json"));
        let lock = private_file::open(&path.with_extension("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(
                    "the same backfill is already running in another process; wait for it, or stop it".into(),
                );
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error).into()),
        }
        if restart {
            for left_behind in ["refused.ndjson", "export"] {
                let _ = fs::remove_file(path.with_extension(left_behind));
            }
        }
        let checkpoint = match fs::read(&path) {
            Ok(bytes) if !restart => serde_json::from_slice(&bytes)
                .ok()
                .filter(|checkpoint: &Checkpoint| checkpoint.version == VERSION)
                .ok_or_else(|| {
                    format!(
                        "{} cannot be read by this version of segue; start over with --restart",
                        path.display()
                    )
                })?,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error).into()),
            _ => Checkpoint {
                version: VERSION,
                what: what.to_owned(),
                position: None,
                counts: Counts::default(),
                refused_bytes: 0,
                finished: false,
                source: Value::Null,
            },
        };
        Ok(Self { path, _lock: lock, checkpoint })
    }

    /// Writes the checkpoint. When this returns, it is on disk. A crash before that leaves the previous one.
    pub fn save(&self) -> Result<(), CommandError> {
        let checkpoint = serde_json::to_vec(&self.checkpoint)?;
        private_file::write(&self.path, &checkpoint).map_err(|error| {
            format!(
                "{} cannot be written: {error}; free some disk space, then run the same command again",
                self.path.display()
            )
            .into()
        })
    }

    /// Saves the fingerprint of the export file that is sent.
    ///
    /// # Errors
    /// A sentence when a part of another file with this name is already sent.
    pub fn require_same_file(&mut self, path: &Path, file: &mut File, size: u64) -> Result<(), CommandError> {
        let is =
            file_mark(file, size).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let Checkpoint { source, position, .. } = &mut self.checkpoint;
        match source.get("file") {
            Some(was) if *was != is && position.is_some() => Err(format!(
                "{} has changed since a part of it was sent; start over with --restart. Messages that are sent again \
                 keep their ids, and Segment drops them",
                path.display()
            )
            .into()),
            _ => {
                // Null becomes an object.
                source["file"] = is;
                Ok(())
            }
        }
    }

    /// Returns the path of a file beside the checkpoint.
    pub fn beside(&self, extension: &str) -> PathBuf {
        self.path.with_extension(extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_again_and_restart_removes_it() {
        let folder = tempfile::tempdir().unwrap();
        let open = |restart| State::open(folder.path(), "b", "users", restart);
        let mut state = open(false).unwrap();
        assert_eq!(state.checkpoint.position, None);
        state.checkpoint.position = Some(Position::File { bytes: 10, line: 2 });
        state.checkpoint.counts.read = 2;
        state.save().unwrap();
        state.save().unwrap();
        drop(state);
        let found = open(false).unwrap().checkpoint;
        assert_eq!((found.position, found.counts.read), (Some(Position::File { bytes: 10, line: 2 }), 2));
        fs::write(folder.path().join("b.refused.ndjson"), "{}").unwrap();
        assert_eq!(open(true).unwrap().checkpoint.position, None);
        assert!(!folder.path().join("b.refused.ndjson").exists());
    }

    #[test]
    fn two_runs_at_once_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = State::open(folder.path(), "b", "users", false).unwrap();
        let error = State::open(folder.path(), "b", "users", true).err().unwrap().to_string();
        assert!(error.starts_with("the same backfill is already running"), "{error}");
        drop(first);
        assert!(State::open(folder.path(), "b", "users", false).is_ok());
    }

    #[test]
    fn a_file_that_is_no_checkpoint_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.json"), "{").unwrap();
        let error = State::open(folder.path(), "b", "users", false).err().unwrap().to_string();
        assert!(error.ends_with("start over with --restart"), "{error}");
    }

    #[test]
    fn a_fingerprint_depends_on_each_part_and_its_place() {
        let prints = [&["a", "b"][..], &["ab", ""], &["b", "a"], &["a"], &["a", "b", ""]].map(fingerprint);
        assert_eq!(prints.iter().collect::<std::collections::HashSet<_>>().len(), prints.len());
        assert_eq!(fingerprint(&["a", "b"]), prints[0]);
        assert_eq!(prints[0].len(), 16);
    }
}
