//! Programs in the project's own virtual environment.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Returns the root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Returns a program that `make tools` installed.
pub fn program(name: &str) -> PathBuf {
    let path = root().join(".tools/venv/bin").join(name);
    assert!(path.exists(), "{} is missing; run `make tools`", path.display());
    path
}

/// Returns the output of a Python script with these arguments and this `input`.
pub fn python(script: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program("python"))
        .args(["-c", script])
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
