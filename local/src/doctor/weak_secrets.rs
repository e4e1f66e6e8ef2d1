//! Finds secrets that are easy to guess: short ones, and those from documentation.

use serde_json::Value;
use settings::weakness;

use super::finding::Finding;

/// How to make a good secret.
pub const MAKE_ONE: &str = "make one with openssl rand -base64 32, and store it on both sides";

/// Returns a warning for each weak secret in `document`. Secrets are the strings in `members`, at any depth.
/// The warning names the path and never quotes the secret.
pub fn find(check: &'static str, document: &str, members: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Ok(document) = serde_json::from_str::<Value>(document) {
        walk(&document, "", false, members, &mut |path, secret| {
            if let Some(weakness) = weakness(secret) {
                findings.push(Finding::warning(check, format!("{path} {weakness}"), MAKE_ONE));
            }
        });
    }
    findings
}

fn walk(value: &Value, path: &str, is_secret: bool, members: &[&str], found: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) if is_secret => found(path, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{path}[{index}]"), is_secret, members, found);
            }
        }
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(value, &path, members.contains(&name.as_str()), members, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_secret_is_reported_by_its_path_and_never_quoted() {
        let document = r#"{"fusionauth":{"signingSecrets":["0kZ8vTq3RrWm5yXc7Lp2","ohno"],"jwksUrl":"https://short"},
            "auth0":{"basic":{"username":"u","password":"correct horse battery"},"bearer":"your-token-goes-here"},
            "okta":{"header":{"name":"x","value":"aaaaaaaaaaaaaaaaaaaaaaaa"}},"hashKey":"<a long random text>"}"#;
        let members = ["signingSecrets", "bearer", "password", "value", "hashKey"];
        let findings = find("authentication", document, &members);
        let found: Vec<&str> = findings.iter().map(|finding| finding.found.as_str()).collect();
        assert_eq!(
            found,
            [
                "fusionauth.signingSecrets[1] has fewer than 16 characters, so it can be guessed",
                "auth0.bearer is a placeholder, which others know too",
                "okta.header.value is the same character repeated, so it can be guessed",
                "hashKey is a placeholder, which others know too",
            ]
        );
        assert!(find("x", "no JSON", &members).is_empty());
    }
}
