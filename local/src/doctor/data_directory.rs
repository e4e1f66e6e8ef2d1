//! Checks that the store can be written, and who has it open.

use std::{
    fs::{File, remove_file},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use platform::sqlite::FILE;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{address, finding::Finding, plural};
use crate::serve;

const CHECK: &str = "data directory";

/// The ending of a dead-letter queue's name.
const DEAD_LETTERS: &str = "-dead-letter";

/// Returns the finding about the data directory.
pub async fn check(options: &serve::Options) -> Finding {
    let (directory, listen) = (options.data_dir.clone(), options.listen);
    let name = directory.display().to_string();
    let inspected = tokio::task::spawn_blocking(move || inspect(&directory)).await;
    let other = "choose another folder with --data-dir";
    match inspected {
        Ok(Store::New) => Finding::ok(CHECK, format!("segue serve will create {name}")),
        Ok(Store::Idle { waiting, dead: 0 }) => Finding::ok(
            CHECK,
            format!("{name} can be written; {} waiting", plural(waiting.unsigned_abs(), "message")),
        ),
        Ok(Store::Idle { waiting, dead }) => Finding::warning(
            CHECK,
            format!(
                "{name} can be written; {} waiting, {}",
                plural(waiting.unsigned_abs(), "message"),
                plural(dead.unsigned_abs(), "dead letter")
            ),
            "segue redrive --dry-run shows why they failed; segue redrive delivers them again",
        ),
        Ok(Store::InUse) if address::is_segue(listen).await => {
            Finding::ok(CHECK, format!("the segue serve at {listen} is using {name}"))
        }
        Ok(Store::InUse) => Finding::warning(
            CHECK,
            format!("{name} is in use, but no segue serve answers at {listen}"),
            "pass its address with --listen; to start another server, stop the first or choose another --data-dir",
        ),
        Ok(Store::Broken(error)) => Finding::problem(
            CHECK,
            format!("{name}/{FILE} cannot be read: {error}"),
            format!("check its permissions; if it is damaged, keep a copy and {other}"),
        ),
        Ok(Store::NotADirectory) => Finding::problem(CHECK, format!("{name} is not a folder"), other),
        Ok(Store::ReadOnly(place, error)) => Finding::problem(
            CHECK,
            format!("{} cannot be written: {error}", place.display()),
            format!("change its owner or permissions, or {other}"),
        ),
        Err(error) => Finding::problem(CHECK, format!("{name}: {error}"), other),
    }
}

enum Store {
    /// There is none yet, and it can be created.
    New,
    /// No process has it open.
    Idle {
        waiting: i64,
        dead: i64,
    },
    /// A process has it open.
    InUse,
    Broken(rusqlite::Error),
    NotADirectory,
    ReadOnly(PathBuf, io::Error),
}

fn inspect(directory: &Path) -> Store {
    // A missing folder is created in the nearest one that exists.
    let existing = directory.ancestors().find(|folder| folder.exists());
    let existing = existing.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !existing.is_dir() {
        return Store::NotADirectory;
    }
    if let Err(error) = write(existing) {
        return Store::ReadOnly(existing.to_owned(), error);
    }
    let file = directory.join(FILE);
    if !file.exists() {
        return Store::New;
    }
    match count(&file) {
        Ok((waiting, dead)) => Store::Idle { waiting, dead },
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Store::InUse,
            _ => Store::Broken(error),
        },
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let probe = folder.join(format!(".segue-doctor-{}", std::process::id()));
    File::create_new(&probe)?;
    remove_file(probe)
}

/// Counts the messages and dead letters. It changes nothing and does not hold up a server that is starting.
fn count(file: &Path) -> rusqlite::Result<(i64, i64)> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(Duration::ZERO)?;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'message'";
    if connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok((0, 0));
    }
    let count = "SELECT count(*) FILTER (WHERE queue NOT LIKE '%' || ?1), count(*) FILTER (WHERE queue LIKE '%' || ?1)
        FROM message";
    connection.query_row(count, [DEAD_LETTERS], |row| Ok((row.get(0)?, row.get(1)?)))
}
