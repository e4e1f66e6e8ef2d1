//! The token that opens the page. It is generated once and kept in the data directory, where only its user
//! can read it.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use segment::Secret;

use crate::{error::CommandError, http::names::address, private_file};

/// The token's file in the data directory.
pub const FILE: &str = "segue.page-token";

/// The shortest token, in characters.
const SHORTEST: usize = 16;

/// Options for the token.
#[derive(Args)]
pub struct TokenOptions {
    /// The token of the server's page. Default: the token in the data directory, if the server is on this
    /// machine
    #[arg(long, env = "SEGUE_PAGE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// Returns the token for the server at `host`: the given one, or the one in `data_dir` if the server is on
/// this machine. No other machine gets that one.
pub fn for_server(host: &str, given: Option<&str>, data_dir: &Path) -> Option<Secret> {
    if let Some(token) = given {
        return Some(Secret::new(token));
    }
    let here = host == "localhost" || address(host).is_some_and(|ip| ip.is_loopback() || ip.is_unspecified());
    read(data_dir).filter(|_| here)
}

/// Parses a token that the user set.
pub fn parse(token: &str) -> Result<Secret, CommandError> {
    if is_valid(token) {
        return Ok(Secret::new(token));
    }
    Err(format!(
        "SEGUE_PAGE_TOKEN is not usable: it needs {SHORTEST} or more letters, digits, - and _; \
         generate one with openssl rand -hex 16"
    )
    .into())
}

/// Returns the token of this data directory. If it is missing, or others can read it, a new one is generated.
pub fn load_or_create(data_dir: &Path) -> Result<Secret, CommandError> {
    if let Some(token) = read(data_dir) {
        return Ok(token);
    }
    let token = random()?;
    let file = data_dir.join(FILE);
    private_file::write(&file, format!("{}\n", token.expose()).as_bytes()).map_err(|error| {
        format!("{} cannot be written: {error}; set SEGUE_PAGE_TOKEN instead", file.display())
    })?;
    Ok(token)
}

fn read(data_dir: &Path) -> Option<Secret> {
    let file = data_dir.join(FILE);
    // Not a file of another user, and not a link.
    let known = fs::symlink_metadata(&file).ok().filter(fs::Metadata::is_file)?;
    let ours = known.uid() == rustix::process::geteuid().as_raw();
    let private = ours && known.permissions().mode() & 0o077 == 0;
    let token = fs::read_to_string(&file).ok().filter(|_| private)?;
    is_valid(token.trim_end()).then(|| Secret::new(token.trim_end()))
}

/// Whether the token can stand in a link and in a cookie.
fn is_valid(text: &str) -> bool {
    text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn random() -> Result<Secret, CommandError> {
    let mut bytes = [0; 16];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .map_err(|_| "the system has no random numbers; set SEGUE_PAGE_TOKEN")?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_generated_once_and_only_its_user_can_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        let first = load_or_create(directory.path()).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_or_create(directory.path()).unwrap().expose(), first.expose());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let second = load_or_create(directory.path()).unwrap();
        assert_ne!(second.expose(), first.expose(), "others may know it");
        fs::write(&file, "cut").unwrap();
        assert_ne!(load_or_create(directory.path()).unwrap().expose(), second.expose());
    }

    #[test]
    fn the_token_on_disk_goes_to_no_other_machine() {
        let directory = tempfile::tempdir().unwrap();
        load_or_create(directory.path()).unwrap();
        for (host, expected) in [
            ("127.0.0.1", true),
            ("localhost", true),
            ("[::1]", true),
            ("0.0.0.0", true),
            ("192.0.2.1", false),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
        ] {
            assert_eq!(for_server(host, None, directory.path()).is_some(), expected, "{host}");
        }
        let given = for_server("evil.example", Some("given"), directory.path());
        assert_eq!(given.unwrap().expose(), "given");
    }
}
