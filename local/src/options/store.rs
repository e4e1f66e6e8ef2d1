//! The store of a command: in its folder, or with the `segue serve` that has it open.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use platform::{
    clock::SteadyClock,
    sqlite::{FILE, Store, StoreError},
    telemetry::Chain,
};
use segment::Secret;

use super::{
    page_token::{self, TokenOptions},
    server::Server,
};
use crate::error::CommandError;

/// Where the store is.
#[derive(Args)]
pub struct StoreOptions {
    /// Where the store is kept
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = ".segue", value_name = "DIR", value_hint = ValueHint::DirPath)]
    data_dir: PathBuf,
    #[command(flatten)]
    pub server: Server,
    #[command(flatten)]
    token: TokenOptions,
}

/// Who has the store open.
pub enum StoreAccess {
    /// This process.
    Direct(Store),
    /// The server, whose page wants this token.
    ThroughServer(Option<Secret>),
}

impl StoreOptions {
    /// Opens the store, unless the server has it open.
    pub fn open(&self) -> Result<StoreAccess, CommandError> {
        if !self.data_dir.join(FILE).exists() {
            let directory = self.data_dir.display();
            return Err(format!("there is no store in {directory}; name its folder with --data-dir").into());
        }
        match Store::open(&self.data_dir, SteadyClock::shared()) {
            Ok(store) => Ok(StoreAccess::Direct(store)),
            Err(StoreError::InUse) => {
                let (host, given) = (self.server.host(), self.token.token.as_deref());
                Ok(StoreAccess::ThroughServer(page_token::for_server(&host, given, &self.data_dir)))
            }
            Err(error) => Err(self.unusable(&error)),
        }
    }

    /// The fault of the store, in a sentence.
    pub fn unusable(&self, error: &StoreError) -> CommandError {
        unusable(&self.data_dir, error)
    }
}

/// A store that cannot be used, in a sentence that says where it is and what to do.
pub fn unusable(data_dir: &Path, error: &StoreError) -> CommandError {
    let advice = match error {
        StoreError::Sqlite(_) => {
            "; check the folder's permissions and the disk's free space, or choose another with --data-dir"
        }
        // Their texts say what to do.
        StoreError::Directory(_)
        | StoreError::Unwritable(_)
        | StoreError::InUse
        | StoreError::Newer
        | StoreError::Damaged(_)
        | StoreError::Thread(_)
        | StoreError::Refused(_) => "",
        StoreError::Stopped | StoreError::RolledBack => "; start again",
    };
    format!("{}: {}{advice}", data_dir.display(), Chain(error)).into()
}

/// The name of this deployment: random, made with the store and kept in it, so that message ids stay the same
/// over restarts and differ from those of other deployments.
pub async fn deployment(store: &Store) -> Result<String, CommandError> {
    let name = store.run(|connection| {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS deployment (name TEXT NOT NULL);
             INSERT INTO deployment SELECT 'local-' || lower(hex(randomblob(16)))
             WHERE NOT EXISTS (SELECT 1 FROM deployment);",
        )?;
        connection.query_row("SELECT name FROM deployment", [], |row| row.get(0))
    });
    Ok(name.await?)
}
