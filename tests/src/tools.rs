//! Programs in the project's own virtual environment.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program that `make tools` installed.
pub fn program(name: &str) -> PathBuf {
    let path = root().join(".tools/venv/bin").join(name);
    assert!(path.exists(), "{} is missing; run `make tools`", path.display());
    path
}

/// What a Python script prints.
pub fn python(script: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(program("python")).arg("-c").arg(script).args(arguments).current_dir(root()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
