//! Access to the store: directly, or through the `segue serve` that has it open.

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

/// Options for the store.
#[derive(Args)]
pub struct StoreOptions {
    /// The folder of the store
    #[arg(long, env = "SEGUE_DATA_DIR", default_value = ".segue", value_name = "DIR", value_hint = ValueHint::DirPath)]
    data_dir: PathBuf,
    #[command(flatten)]
    pub server: Server,
    #[command(flatten)]
    token: TokenOptions,
}

/// How to access the store.
pub enum StoreAccess {
    /// This process has opened it.
    Direct(Store),
    /// The server has it open. Its page needs this token.
    ThroughServer(Option<Secret>),
}

impl StoreOptions {
    /// Opens the store, unless the server has it open.
    pub fn open(&self) -> Result<StoreAccess, CommandError> {
        if !self.data_dir.join(FILE).exists() {
            let directory = self.data_dir.display();
            return Err(format!("no store in {directory}; pass its folder with --data-dir").into());
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

    /// Describes the fault of the store.
    pub fn unusable(&self, error: &StoreError) -> CommandError {
        unusable(&self.data_dir, error)
    }
}

/// Describes the fault of a store: where it is, what is wrong, what to do.
pub fn unusable(data_dir: &Path, error: &StoreError) -> CommandError {
    let advice = match error {
        StoreError::Sqlite(_) => {
            "; check the folder's permissions and the free disk space, or choose another folder with --data-dir"
        }
        // These say what to do.
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

/// Returns the random name of this deployment. It is saved in the store, so that message ids stay the same
/// after a restart and differ from those of other deployments.
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
