//! `segue completions`: what makes a shell complete commands and options.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::{console::output, error::CommandError};

/// What `segue completions` takes.
#[derive(Args)]
pub struct Options {
    /// The shell that will read it
    shell: Shell,
}

/// Prints the script for `command`, which is all of `segue`.
pub fn print(options: &Options, mut command: clap::Command) -> Result<(), CommandError> {
    // By way of memory: the generator panics when its output is closed.
    let mut script = Vec::new();
    generate(options.shell, &mut command, "segue", &mut script);
    output::print(String::from_utf8(script)?)
}
