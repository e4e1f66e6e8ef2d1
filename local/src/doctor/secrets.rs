//! Secrets that protect nothing: those that are short, or stand in a documentation.

use serde_json::Value;

use super::finding::Finding;

/// Fewer characters can be tried one after the other.
const SHORTEST: usize = 16;

/// How to make a good one.
pub const MAKE_ONE: &str = "make one with openssl rand -base64 32, and store it on both sides";

/// What documentations and tired people write.
const PLACEHOLDERS: [&str; 13] = [
    "changeme",
    "change-me",
    "change_me",
    "example",
    "sample",
    "placeholder",
    "your-",
    "your_",
    "do-not-use",
    "password",
    "hunter2",
    "<",
    "…",
];

/// A warning for each text in `document` whose member is one of `members`, at any depth. Where it is, is said; what it
/// is, never.
pub fn weak(check: &'static str, document: &str, members: &[&str]) -> Vec<Finding> {
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

fn weakness(secret: &str) -> Option<&'static str> {
    let bare = secret.trim().trim_start_matches("Bearer ").trim_start_matches("v1,");
    let bare = bare.trim_start_matches("whsec_");
    let lower = bare.to_lowercase();
    if PLACEHOLDERS.iter().any(|placeholder| lower.contains(placeholder)) {
        Some("is a placeholder, which others know too")
    } else if bare.chars().count() < SHORTEST {
        Some("has fewer than 16 characters, so that it can be guessed")
    } else if bare.chars().all(|character| bare.starts_with(character)) {
        Some("is one character again and again, so that it can be guessed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_secrets_are_named_by_their_place_and_never_quoted() {
        let document = r#"{"fusionauth":{"signingSecrets":["0kZ8vTq3RrWm5yXc7Lp2","ohno"],"jwksUrl":"https://short"},
            "auth0":{"basic":{"username":"u","password":"correct horse battery"},"bearer":"your-token-goes-here"},
            "okta":{"header":{"name":"x","value":"aaaaaaaaaaaaaaaaaaaaaaaa"}},"hashKey":"<a long random text>"}"#;
        let members = ["signingSecrets", "bearer", "password", "value", "hashKey"];
        let findings = weak("authentication", document, &members);
        let found: Vec<&str> = findings.iter().map(|finding| finding.found.as_str()).collect();
        assert_eq!(
            found,
            [
                "fusionauth.signingSecrets[1] has fewer than 16 characters, so that it can be guessed",
                "auth0.bearer is a placeholder, which others know too",
                "okta.header.value is one character again and again, so that it can be guessed",
                "hashKey is a placeholder, which others know too",
            ]
        );
        assert!(weak("x", "no JSON", &members).is_empty());
    }

    #[test]
    fn what_comes_before_a_secret_does_not_count() {
        for (secret, weak) in [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false),
            ("v1,whsec_c2hvcnQ=", true),
            ("Bearer tooshort", true),
        ] {
            assert_eq!(weakness(secret).is_some(), weak, "{secret}");
        }
    }
}
