//! Programs in the project's own virtual environment.

use std::path::{Path, PathBuf};

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
