//! The providers and the mapping, for each command that maps.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueHint};
use identity::Mappings;

use crate::error::CommandError;

/// Options for the mapping.
#[derive(Args)]
pub struct MappingOptions {
    /// A file that declares a provider of your own, or changes a built-in one; with several, repeat the option
    /// (segue provider new writes one)
    #[arg(
        long = "provider",
        env = "SEGUE_PROVIDERS",
        value_name = "FILE",
        value_delimiter = ',',
        value_hint = ValueHint::FilePath
    )]
    pub providers: Vec<PathBuf>,
    /// A file with your own rules, which override the built-in mapping (print that with segue mappings, try
    /// yours with segue map)
    #[arg(long, env = "SEGUE_MAPPINGS", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub mappings: Option<PathBuf>,
}

impl MappingOptions {
    /// Whether the user has a file.
    pub fn is_given(&self) -> bool {
        self.mappings.is_some() || !self.providers.is_empty()
    }

    /// Returns the names of the user's files.
    pub fn names(&self) -> Vec<String> {
        self.providers.iter().chain(&self.mappings).map(|path| path.display().to_string()).collect()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// Every fault of the files, with line and column.
    pub fn read(&self) -> Result<Arc<Mappings>, CommandError> {
        if !self.is_given() {
            return Ok(Mappings::built_in());
        }
        let providers = self.providers.iter().map(|path| text(path, "--provider"));
        let mappings = self.mappings.iter().map(|path| text(path, "--mappings"));
        let files = providers.chain(mappings).collect::<Result<Vec<_>, CommandError>>()?;
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
        Ok(Mappings::with_all(&files)?)
    }
}

/// Returns the name and the text of a file.
fn text(path: &Path, option: &str) -> Result<(String, String), CommandError> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(format!(
            "{name} cannot be read: {error}; correct the path in {option}, or remove that option"
        )
        .into()),
    }
}
