//! The mapping, for each command that maps.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueHint};
use identity::Mappings;

use crate::error::CommandError;

/// Options for the mapping.
#[derive(Args)]
pub struct MappingOptions {
    /// A file with your own rules, which override the built-in mapping (print that with segue mappings, try
    /// yours with segue map)
    #[arg(long, env = "SEGUE_MAPPINGS", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub mappings: Option<PathBuf>,
}

impl MappingOptions {
    /// Whether the user has a mapping file.
    pub fn is_given(&self) -> bool {
        self.mappings.is_some()
    }

    /// Reads the mapping.
    ///
    /// # Errors
    /// Every fault of the file, with line and column.
    pub fn read(&self) -> Result<Arc<Mappings>, CommandError> {
        let Some(path) = &self.mappings else { return Ok(Mappings::built_in()) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            format!("{name} cannot be read: {error}; correct the path in --mappings, or remove that option")
        })?;
        Ok(Mappings::with(&name, &text)?)
    }
}
