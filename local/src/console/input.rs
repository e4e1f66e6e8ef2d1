//! Reads the input of a command.

use std::{
    fs,
    io::{self, IsTerminal, Read},
};

use clap::{Args, ValueHint};

use super::output;
use crate::error::CommandError;

/// The input file of a command.
#[derive(Args)]
pub struct Input {
    /// The file to read; - is standard input
    #[arg(default_value = "-", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: String,
}

impl Input {
    /// Reads the file or standard input.
    pub fn read(&self) -> Result<Vec<u8>, CommandError> {
        if self.file != "-" {
            return fs::read(&self.file).map_err(|error| {
                format!(
                    "{} cannot be read: {error}; check the path, or pass - to read standard input",
                    self.file
                )
                .into()
            });
        }
        if io::stdin().is_terminal() {
            output::note("reading from the terminal until Ctrl-D; you can also name a file");
        }
        let mut bytes = Vec::new();
        let read = io::stdin().read_to_end(&mut bytes);
        read.map_err(|error| format!("standard input cannot be read: {error}; name a file instead"))?;
        Ok(bytes)
    }

    /// Returns its name in a sentence.
    pub fn name(&self) -> &str {
        if self.file == "-" { "standard input" } else { &self.file }
    }
}
