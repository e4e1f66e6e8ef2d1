//! Reading what a command is given.

use std::{
    fs,
    io::{self, IsTerminal, Read},
};

use crate::{CommandError, cli::Input, output};

/// The bytes of the file, or of standard input.
///
/// # Errors
/// A sentence with the file's name.
pub fn read(input: &Input) -> Result<Vec<u8>, CommandError> {
    if input.file == "-" {
        if io::stdin().is_terminal() {
            output::note("reading what you type, up to Ctrl-D; a file can be named instead");
        }
        let mut bytes = Vec::new();
        let read = io::stdin().read_to_end(&mut bytes);
        read.map_err(|error| format!("standard input cannot be read: {error}; name a file instead"))?;
        return Ok(bytes);
    }
    fs::read(&input.file).map_err(|error| {
        format!("{} cannot be read: {error}; check the path, or pipe it in and name -", input.file).into()
    })
}

/// What the input is called in a sentence.
pub fn name(input: &Input) -> &str {
    if input.file == "-" { "standard input" } else { &input.file }
}
