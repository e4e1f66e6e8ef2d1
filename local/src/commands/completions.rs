//! `segue completions`: prints a completion script for a shell.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::{console::output, error::CommandError};

/// Options of `segue completions`.
#[derive(Args)]
pub struct Options {
    /// The shell
    shell: Shell,
}

/// Prints the script for `command`, which is all of `segue`.
pub fn print(options: &Options, mut command: clap::Command) -> Result<(), CommandError> {
    // Generated into memory, because the generator panics when its output is closed.
    let mut script = Vec::new();
    generate(options.shell, &mut command, "segue", &mut script);
    output::print(String::from_utf8(script)?)
}
