//! Runs the program to its end.

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::process::segue;

/// Runs a command with this standard input.
pub fn run(arguments: &[&str], input: &[u8]) -> Output {
    run_with(arguments, &[], input)
}

/// Runs a command with these environment variables and this standard input.
pub fn run_with(arguments: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Output {
    let mut command = segue();
    command.args(arguments).envs(variables.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses its arguments does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// A bash with a clean environment that finds the program on its path.
pub fn bash() -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_segue")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.env_clear().env("PATH", path).stdin(Stdio::null());
    command
}

/// The output of a command.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
