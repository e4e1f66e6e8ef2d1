//! How far a backfill has come, on disk: a file that is replaced as a whole after each batch, and a lock beside it.

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

/// The form of the file.
const VERSION: u32 = 1;

/// What is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    version: u32,
    /// For people: what is backfilled.
    pub what: String,
    /// Where the next run goes on. Everything before it is at Segment, or counted as something else.
    pub position: Option<Position>,
    /// What became of everything before it.
    pub counts: Counts,
    /// How long the file of the refused is; what a crash left after that belongs to a batch that comes again.
    pub refused_bytes: u64,
    /// Whether there is nothing left to do.
    pub finished: bool,
    /// What the source wants to find again.
    pub source: Value,
}

/// How much of each end of the file tells it from another.
const END_BYTES: u64 = 64 * 1024;

/// The checkpoint of one backfill, which no other process uses at the same time.
pub struct State {
    path: PathBuf,
    _lock: File,
    /// What is kept.
    pub checkpoint: Checkpoint,
}

/// A short name for a set of texts: always the same for the same ones, and it does not tell them.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    hex(&context.finish().as_ref()[..8])
}

/// A mark that tells this file from another one of the same name.
fn ends(file: &mut File, size: u64) -> io::Result<Value> {
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
    /// Opens the checkpoint of `name` in `directory`, or begins one. `what` is what it is about, for people. With
    /// `restart` nothing of earlier runs is left.
    ///
    /// # Errors
    /// A sentence when another process backfills the same, or the files cannot be used.
    pub fn open(directory: &Path, name: &str, what: &str, restart: bool) -> Result<Self, CommandError> {
        let unusable = |error: io::Error| {
            let directory = directory.display();
            format!(
                "{directory} cannot keep how far the backfill comes: {error}; choose another with --data-dir"
            )
        };
        private_directory(directory).map_err(unusable)?;
        let path = directory.join(format!("{name}.json"));
        let lock = private_file::open(&path.with_extension("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err("another segue backfill of the same is running; wait for it, or stop it".into());
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
                    format!("{} is not readable by this version; begin anew with --restart", path.display())
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

    /// Writes the checkpoint. When this returns, it is on disk; a crash before that leaves the one before.
    pub fn save(&self) -> Result<(), CommandError> {
        let checkpoint = serde_json::to_vec(&self.checkpoint)?;
        private_file::write(&self.path, &checkpoint).map_err(|error| {
            format!(
                "{} cannot be written: {error}; make room, and give the same command",
                self.path.display()
            )
            .into()
        })
    }

    /// Notes which file it is that is sent.
    ///
    /// # Errors
    /// A sentence when a part of another one of the same name is sent already.
    pub fn begin_with(&mut self, path: &Path, file: &mut File, size: u64) -> Result<(), CommandError> {
        let is = ends(file, size).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
        let Checkpoint { source, position, .. } = &mut self.checkpoint;
        match source.get("file") {
            Some(was) if *was != is && position.is_some() => Err(format!(
                "{} is not the file of which a part is sent; begin anew with --restart: what is sent again is the same \
                 messages, and Segment drops those",
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

    /// The path of a file beside the checkpoint.
    pub fn beside(&self, extension: &str) -> PathBuf {
        self.path.with_extension(extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_found_again_and_restart_forgets_it() {
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
    fn two_at_once_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let first = State::open(folder.path(), "b", "users", false).unwrap();
        let error = State::open(folder.path(), "b", "users", true).err().unwrap().to_string();
        assert!(error.starts_with("another segue backfill"), "{error}");
        drop(first);
        assert!(State::open(folder.path(), "b", "users", false).is_ok());
    }

    #[test]
    fn what_is_no_checkpoint_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.json"), "{").unwrap();
        let error = State::open(folder.path(), "b", "users", false).err().unwrap().to_string();
        assert!(error.ends_with("begin anew with --restart"), "{error}");
    }

    #[test]
    fn a_fingerprint_depends_on_each_part_and_its_place() {
        let prints = [&["a", "b"][..], &["ab", ""], &["b", "a"], &["a"], &["a", "b", ""]].map(fingerprint);
        assert_eq!(prints.iter().collect::<std::collections::HashSet<_>>().len(), prints.len());
        assert_eq!(fingerprint(&["a", "b"]), prints[0]);
        assert_eq!(prints[0].len(), 16);
    }
}
