//! The functions' binaries, built once.

use std::{collections::HashMap, path::PathBuf, process::Command, sync::OnceLock};

use serde_json::Value;

use crate::tools;

/// The binary of a function, up to date with its source. `SEGUE_BINARIES` may name a folder with binaries to
/// test instead, such as a release build.
pub(crate) fn binary(function: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("SEGUE_BINARIES") {
        return PathBuf::from(folder).join(function);
    }
    static BUILT: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).get(function).unwrap_or_else(|| panic!("no binary {function}")).clone()
}

/// Builds as `cargo test --workspace` does, so that after it there is nothing left to build: another choice of
/// packages or profile would mean other features of the libraries, and minutes for the AWS SDK.
fn build() -> HashMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--workspace", "--no-run", "--message-format", "json"]).current_dir(tools::root());
    // What cargo told this test about its own package would make build scripts, ring's among them, run again.
    for (name, _) in std::env::vars_os() {
        let known = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|own| known.starts_with(own)) {
            cargo.env_remove(&name);
        }
    }
    let output = cargo.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the functions do not build:\n{errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| message["target"]["kind"][0] == "bin" && message["profile"]["test"] == false)
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, message["executable"].as_str()?.into()))
        })
        .collect()
}
