//! The store of a command: in its folder, or with the `segue serve` that has it open.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use platform::{
    clock::SteadyClock,
    embedded::{FILE, Store, StoreError},
};
use segment::Secret;

use crate::{
    CommandError,
    page_token::{self, TokenOptions},
    serve,
    server::Server,
};

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
pub enum Holder {
    /// This process.
    Here(Store),
    /// The server, whose page wants this token.
    Server(Option<Secret>),
}

impl StoreOptions {
    /// Opens the store, unless the server has it open.
    ///
    /// # Errors
    /// A sentence when there is none, or it cannot be used.
    pub fn open(&self) -> Result<Holder, CommandError> {
        if !self.data_dir.join(FILE).exists() {
            let directory = self.data_dir.display();
            return Err(format!("there is no store in {directory}; name its folder with --data-dir").into());
        }
        match Store::open(&self.data_dir, SteadyClock::shared()) {
            Ok(store) => Ok(Holder::Here(store)),
            Err(StoreError::InUse) => {
                let (host, given) = (self.server.host(), self.token.token.as_deref());
                Ok(Holder::Server(page_token::of_server(&host, given, &self.data_dir)))
            }
            Err(error) => Err(self.unusable(&error)),
        }
    }

    /// The fault of the store, in a sentence.
    pub fn unusable(&self, error: &StoreError) -> CommandError {
        serve::unusable(&self.data_dir, error)
    }
}
