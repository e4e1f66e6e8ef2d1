//! Downloads from Auth0, and the check of its addresses.

use std::{fs, io::Write, path::Path, time::Duration};

use crate::{error::CommandError, private_file};

/// The longest pause between two parts of a download.
const SILENCE: Duration = Duration::from_secs(60);

/// Streams the file at `location` to disk.
///
/// # Errors
/// The reason. Another attempt with a new address may succeed.
pub async fn fetch(location: &str, path: &Path) -> Result<(), CommandError> {
    let location = secure(location).ok_or("Auth0 gives an address for the export that is not https")?;
    // The address holds a signature, so it must not appear in an error.
    let broken = |_| "the connection broke";
    let request = platform::http::client()?.get(location).send();
    let answer = tokio::time::timeout(SILENCE, request).await.map_err(|_| "there is no answer")?;
    let mut response = answer.map_err(broken)?;
    if !response.status().is_success() {
        return Err(format!("its address answered {}", response.status().as_u16()).into());
    }
    let part = path.with_extension("part");
    let _ = fs::remove_file(&part);
    let unkept = |error: std::io::Error| format!("{} cannot be written: {error}", part.display());
    let mut file = private_file::open(&part).map_err(unkept)?;
    loop {
        let chunk =
            tokio::time::timeout(SILENCE, response.chunk()).await.map_err(|_| "the download stopped")?;
        match chunk.map_err(broken)? {
            Some(chunk) => file.write_all(&chunk).map_err(unkept)?,
            None => break,
        }
    }
    file.sync_all().map_err(unkept)?;
    fs::rename(&part, path).map_err(unkept)?;
    Ok(())
}

/// Returns the API's address. It must be https, except on this machine, because the token is sent to it.
pub fn base(domain: &str) -> Result<String, CommandError> {
    let url = if domain.contains("://") { domain.to_owned() } else { format!("https://{domain}") };
    let url = secure(&url).map(|url| url.trim_end_matches('/').to_owned());
    url.ok_or_else(|| "--domain must be a tenant's domain such as tenant.eu.auth0.com".into())
}

fn secure(url: &str) -> Option<&str> {
    let uri: http::Uri = url.parse().ok()?;
    uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
    let on_this_machine = || {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    match uri.scheme_str() {
        Some("https") => Some(url),
        Some("http") if on_this_machine() => Some(url),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_sent_over_https_only() {
        for (domain, expected) in [
            ("tenant.eu.auth0.com", Some("https://tenant.eu.auth0.com")),
            ("https://login.example.com/", Some("https://login.example.com")),
            ("http://127.0.0.1:4000", Some("http://127.0.0.1:4000")),
            ("http://[::1]:4000", Some("http://[::1]:4000")),
            ("http://tenant.eu.auth0.com", None),
            ("ftp://tenant.eu.auth0.com", None),
            ("https://me:secret@login.example.com", None),
            ("no domain", None),
        ] {
            assert_eq!(base(domain).ok().as_deref(), expected, "{domain}");
        }
    }
}
