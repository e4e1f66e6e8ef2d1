//! The functions' binaries: from `sam build`, or built here by cargo.

use std::{collections::HashMap, path::PathBuf, process::Command, sync::OnceLock};

use serde_json::Value;

use crate::{template::template, tools};

/// Returns the folder with the artifacts of `sam build` if the tests must run these: `SEGUE_ARTIFACTS`, which
/// `make test` sets.
pub fn artifacts() -> Option<PathBuf> {
    std::env::var_os("SEGUE_ARTIFACTS").map(|folder| tools::root().join(folder))
}

/// Returns the binary of the function whose crate is in `folder`. Without artifacts, it is a debug build that
/// is up to date with its source.
///
/// # Errors
/// When there is none.
pub(crate) fn binary(folder: &str) -> Result<PathBuf, String> {
    if !tools::root().join(folder).join("Cargo.toml").exists() {
        return Err(format!("CodeUri is {folder:?}, where there is no function"));
    }
    if let Some(artifacts) = artifacts() {
        let resources = template()["Resources"].as_object().unwrap();
        let of = |(_, one): &(&String, &Value)| one["Properties"]["CodeUri"] == folder;
        let (name, _) = resources.iter().find(of).ok_or_else(|| format!("{folder} is not deployed"))?;
        let binary = artifacts.join(name).join("bootstrap");
        assert!(binary.exists(), "{} is missing; run `make artifacts`", binary.display());
        return Ok(binary);
    }
    static BUILT: OnceLock<HashMap<String, PathBuf>> = OnceLock::new();
    let package = folder.rsplit('/').next().unwrap_or_default();
    BUILT.get_or_init(build).get(package).cloned().ok_or_else(|| format!("{folder} has no binary"))
}

/// Builds as `cargo test --workspace` does, so that nothing is left to build after it: another choice of
/// packages or profile would give the libraries other features, and cost minutes for the AWS SDK.
fn build() -> HashMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--workspace", "--no-run", "--message-format", "json"]).current_dir(tools::root());
    // With cargo's variables about this test's own package, build scripts such as ring's would run again.
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
