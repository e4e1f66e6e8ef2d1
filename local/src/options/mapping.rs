//! The providers and the mapping, for each command that maps.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueHint};
use identity::{HashKey, Mappings, Providers};
use identity_webhook::Authentication;

use crate::error::CommandError;

/// Options for the mapping.
#[derive(Args)]
pub struct MappingOptions {
    /// A file that declares a provider of your own, or changes a built-in one; with several, repeat the option
    /// (segue provider new writes one)
    #[arg(
        long = "provider",
        env = "SEGUE_PROVIDERS",
        value_name = "FILE",
        value_delimiter = ',',
        value_parser = trimmed,
        value_hint = ValueHint::FilePath
    )]
    pub providers: Vec<PathBuf>,
    /// A file with your own rules, which override the built-in mapping (print that with segue mappings, try
    /// yours with segue map)
    #[arg(long, env = "SEGUE_MAPPINGS", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub mappings: Option<PathBuf>,
}

impl MappingOptions {
    /// Whether the user has a file.
    pub fn is_given(&self) -> bool {
        self.mappings.is_some() || self.providers().next().is_some()
    }

    /// Returns the files of providers. A variable that is empty names none.
    fn providers(&self) -> impl Iterator<Item = &PathBuf> {
        self.providers.iter().filter(|path| !path.as_os_str().is_empty())
    }

    /// Returns the names of the user's files.
    pub fn names(&self) -> Vec<String> {
        self.providers().chain(&self.mappings).map(|path| path.display().to_string()).collect()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// Every fault of the files, with line and column.
    pub fn read(&self) -> Result<Arc<Mappings>, CommandError> {
        if !self.is_given() {
            return Ok(Mappings::built_in());
        }
        let providers = self.providers().map(|path| text(path, "--provider"));
        let mappings = self.mappings.iter().map(|path| text(path, "--mappings"));
        let files = providers.chain(mappings).collect::<Result<Vec<_>, CommandError>>()?;
        let mut declared: Vec<&str> = Vec::new();
        for (name, text) in files.iter().take(self.providers().count()) {
            for provider in Mappings::with(name, text)?.declared() {
                if declared.contains(&provider.route) {
                    return Err(format!(
                        "{name}: another file declares {} too; keep one of them",
                        provider.route
                    )
                    .into());
                }
                declared.push(provider.route);
            }
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, &**text)).collect();
        Ok(Mappings::with_all(&files)?)
    }
}

#[allow(clippy::unnecessary_wraps, reason = "clap wants a result")]
fn trimmed(path: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(path.trim()))
}

/// Returns the name and the text of a file.
fn text(path: &Path, option: &str) -> Result<(String, String), CommandError> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(format!(
            "{name} cannot be read: {error}; correct the path in {option}, or remove that option"
        )
        .into()),
    }
}

/// Returns the key for fields that a mapping hashes, for a command that needs no more of the identity secret.
///
/// # Errors
/// When the secret is not usable. The error does not quote it. The secret may have members of providers whose
/// files are not given.
pub fn hash_key(secret: Option<&str>, providers: &Providers) -> Result<Option<HashKey>, CommandError> {
    let secret = secret.unwrap_or("{}");
    let problem = match Authentication::parse(secret, providers) {
        Ok(secret) => return Ok(secret.hash_key().cloned()),
        Err(problem) => problem,
    };
    let of_others = |line: &str| line.ends_with(Authentication::NEEDS_ITS_FILE);
    match HashKey::from_secret(secret) {
        Ok(key) if problem.lines().all(of_others) => Ok(key),
        _ => Err(format!("IDENTITY_SECRET is not usable: {problem}").into()),
    }
}
