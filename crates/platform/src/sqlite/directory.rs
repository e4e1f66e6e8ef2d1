//! The data directory: it is closed to other users, and its files must stay the ones that were opened.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    StoreError,
    reserve::{self, Reserve},
};

/// The database's name inside the data directory.
pub const FILE: &str = "segue.db";

/// SQLite adds these to the database's name for its log, and for the files of its other modes.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The data directory of an open store.
pub(super) struct Directory {
    path: PathBuf,
    /// The database and its log, as they were opened.
    opened: Vec<(PathBuf, FileId)>,
}

/// The identity of a file under any name: its device and its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileId(u64, u64);

impl FileId {
    fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|file| Self(file.dev(), file.ino()))
    }
}

impl Directory {
    /// Creates the directory and an empty database if needed, and removes other users' access to them.
    pub(super) fn prepare(path: &Path) -> Result<Self, StoreError> {
        private_directory(path).map_err(|error| StoreError::Directory(Arc::new(error)))?;
        // The absolute path stays right when the current folder is renamed.
        let path = &std::path::absolute(path).map_err(|error| StoreError::Directory(Arc::new(error)))?;
        let database = path.join(FILE);
        if !database.exists() {
            let made =
                OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&database);
            made.and_then(|_| sync(path)).map_err(|error| StoreError::Unwritable(Arc::new(error)))?;
        }
        let directory = Self { path: path.to_owned(), opened: Vec::new() };
        directory.restrict_access();
        Ok(directory)
    }

    /// Remembers which files are open. Call it when the log exists.
    pub(super) fn remember_files(&mut self) {
        let paths = [self.path.join(FILE), self.log()];
        self.opened = paths.into_iter().filter_map(|path| FileId::of(&path).map(|id| (path, id))).collect();
    }

    /// Whether a restart would find the files that are open now.
    pub(super) fn is_in_place(&self) -> bool {
        self.opened.iter().all(|(path, opened)| FileId::of(path) == Some(*opened))
    }

    /// The size of SQLite's log on the disk, in bytes.
    pub(super) fn log_size(&self) -> u64 {
        fs::metadata(self.log()).map_or(0, |log| log.len())
    }

    fn log(&self) -> PathBuf {
        self.path.join(format!("{FILE}-wal"))
    }

    /// Returns the reserve.
    pub(super) fn reserve(&self) -> Result<Reserve, StoreError> {
        let reserve = Reserve::open(&self.path.join(reserve::FILE));
        reserve.map_err(|error| StoreError::Unwritable(Arc::new(error)))
    }

    /// Sets files to 0600, and the directory to 0700 unless it holds other files too: a folder such as `/tmp`
    /// may be meant for others. A file system without permissions must not prevent the start.
    fn restrict_access(&self) {
        let companions = COMPANIONS.map(|end| format!("{FILE}{end}"));
        for name in companions.iter().map(String::as_str).chain([FILE, reserve::FILE]) {
            let file = self.path.join(name);
            if file.exists() {
                restrict(&file, 0o600);
            }
        }
        let is_ours = |name: &str| name.starts_with("segue.") || name.starts_with("backfill");
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        if entries.into_iter().all(|entry| entry.file_name().to_str().is_some_and(is_ours)) {
            restrict(&self.path, 0o700);
        }
    }
}

/// Creates a directory that only this user may use, and its parents, if they do not exist. They survive a
/// power cut.
///
/// # Errors
/// The system's error.
pub fn private_directory(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for folder in missing {
        // The parent of a single relative name is empty. It means the current folder.
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new(".")))?;
    }
    Ok(())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn restrict(path: &Path, mode: u32) {
    let known = fs::metadata(path).map(|file| file.permissions().mode() & 0o777);
    if known.is_ok_and(|known| known & !mode == 0) {
        return;
    }
    if let Err(error) = fs::set_permissions(path, Permissions::from_mode(mode)) {
        tracing::warn!(path = %path.display(), %error, "Other users of this machine may be able to read this file; check its permissions.");
    }
}
