//! The mapping, for every command that maps.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueHint};
use identity::Mappings;

use crate::error::CommandError;

/// Options about the mapping.
#[derive(Args)]
pub struct MappingOptions {
    /// A file of your own rules, laid over the built-in mappings.toml (segue mappings prints that, segue map tries yours)
    #[arg(long, env = "SEGUE_MAPPINGS", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub mappings: Option<PathBuf>,
}

impl MappingOptions {
    /// Whether there is a file of one's own.
    pub fn is_given(&self) -> bool {
        self.mappings.is_some()
    }

    /// The mapping.
    ///
    /// # Errors
    /// Every fault of the file, with line and column.
    pub fn read(&self) -> Result<Arc<Mappings>, CommandError> {
        let Some(path) = &self.mappings else { return Ok(Mappings::built_in()) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!("{name} cannot be read: {error}; name your mapping with --mappings, or leave that out")
        })?;
        Ok(Mappings::with(&name, &text)?)
    }
}
