//! `segue completions`: what makes a shell complete commands and options.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use crate::{CommandError, cli::Cli, output};

/// What `segue completions` takes.
#[derive(Args)]
pub struct Options {
    /// The shell that will read it
    shell: Shell,
}

/// Prints the script.
///
/// # Errors
/// When it cannot be written.
pub fn print(options: &Options) -> Result<(), CommandError> {
    // By way of memory: the generator panics when its output is closed.
    let mut script = Vec::new();
    generate(options.shell, &mut Cli::command(), "segue", &mut script);
    output::print(String::from_utf8(script)?)
}
