//! Secrets that protect nothing: those that are short, or stand in a documentation.

/// Fewer characters can be tried one after the other.
const SHORTEST: usize = 16;

/// Words from documentation and from tired people.
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

/// Why a secret can be guessed, in words that quote nothing of it.
pub fn weakness(secret: &str) -> Option<&'static str> {
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
