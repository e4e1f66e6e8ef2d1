//! Settings that are not what was meant: they are pointed out with what was, and personal data never leave because of
//! them.

mod mapping;
mod secret;
mod write_key;

use std::{
    io::Write,
    process::{Output, Stdio},
};

use crate::process::segue;

/// Runs a command with this on its standard input.
fn run(arguments: &[&str], input: &[u8]) -> Output {
    run_with(arguments, &[], input)
}

/// The same with variables.
fn run_with(arguments: &[&str], variables: &[(&str, &str)], input: &[u8]) -> Output {
    let mut command = segue();
    command.args(arguments).envs(variables.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses its arguments does not read its input.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
