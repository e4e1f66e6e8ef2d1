//! Readers that several providers share: addresses, times, user agents.

use jiff::Timestamp;
use segment::timestamp;
use serde_json::{Map, Value};

/// Whether a text looks like an e-mail address: a name, one `@`, and a domain with a dot in it.
pub(super) fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| {
        let spaced = text.contains(char::is_whitespace);
        !name.is_empty() && domain.contains('.') && !domain.contains('@') && !spaced
    })
}

/// Returns the only address, or the only verified one: the others may not be the user's. Returns none if
/// several are verified, because it is unclear which one the user prefers.
pub(super) fn only_one<'a>(addresses: impl Iterator<Item = (&'a str, bool)>) -> Option<&'a str> {
    let mut all: Vec<(&str, bool)> = addresses.collect();
    if all.len() > 1 {
        all.retain(|(_, verified)| *verified);
    }
    match all[..] {
        [(address, _)] => Some(address),
        _ => None,
    }
}

/// Returns the time at `name`, unless it is implausible at `now`.
pub(super) fn time(object: &Map<String, Value>, name: &str, now: Timestamp) -> Option<Timestamp> {
    timestamp::parse(object.get(name)?).filter(|time| timestamp::plausible(*time, now))
}

/// Adds the time at `name` to a profile as `createdAt`.
pub(super) fn insert_created_at(
    from: &Map<String, Value>,
    name: &str,
    profile: &mut Map<String, Value>,
    now: Timestamp,
) {
    if let Some(time) = time(from, name, now) {
        profile.insert("createdAt".to_owned(), timestamp::format(time).into());
    }
}

/// The beginnings of the user agents of HTTP libraries, in lower case. Restify is in FusionAuth's own clients
/// and in its example events of server calls.
const LIBRARIES: &[&str] = &[
    "restify",
    "fusionauth",
    "clerk",
    "@clerk/",
    "java/",
    "java-http-client",
    "apache-httpclient",
    "jakarta",
    "okhttp",
    "python-requests",
    "python-httpx",
    "python-urllib",
    "aiohttp",
    "node",
    "undici",
    "axios",
    "got ",
    "got/",
    "go-http-client",
    "ruby",
    "faraday",
    "rest-client",
    "guzzlehttp",
    "php",
    "symfony",
    "curl/",
    "wget/",
    "postmanruntime",
    "insomnia",
    "reqwest",
    "hyper",
    "dotnet",
    "restsharp",
    "terraform",
];

/// Whether a user agent begins like that of an HTTP library.
pub(crate) fn is_library(user_agent: &str) -> bool {
    let user_agent = user_agent.trim().to_ascii_lowercase();
    LIBRARIES.iter().any(|library| user_agent.starts_with(library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_address_counts_and_among_several_the_only_verified_one() {
        for (addresses, expected) in [
            (vec![], None),
            (vec![("a", false)], Some("a")),
            (vec![("a", false), ("a", true)], Some("a")),
            (vec![("a", false), ("b", true)], Some("b")),
            (vec![("a", false), ("b", false)], None),
            (vec![("a", true), ("b", true)], None),
        ] {
            assert_eq!(only_one(addresses.iter().copied()), expected, "{addresses:?}");
        }
    }
}
