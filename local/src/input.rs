//! Reading what a command is given.

use std::{
    fs,
    io::{self, Read},
};

use crate::{CommandError, cli::Input};

/// The bytes of the file, or of standard input.
///
/// # Errors
/// A sentence with the file's name.
pub fn read(input: &Input) -> Result<Vec<u8>, CommandError> {
    if input.file == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    fs::read(&input.file).map_err(|error| format!("{} cannot be read: {error}", input.file).into())
}
