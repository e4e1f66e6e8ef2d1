//! Recognizes secrets that are easy to guess: short ones, and those from documentation.

/// The shortest secret that cannot be found by trying.
const SHORTEST: usize = 16;

/// Parts of secrets that stand in documentation or are often chosen.
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

/// Returns why a secret is easy to guess, without quoting it.
pub fn weakness(secret: &str) -> Option<&'static str> {
    let bare = secret.trim().trim_start_matches("Bearer ").trim_start_matches("v1,");
    let bare = bare.trim_start_matches("whsec_");
    let lower = bare.to_lowercase();
    if PLACEHOLDERS.iter().any(|placeholder| lower.contains(placeholder)) {
        Some("is a placeholder, which others know too")
    } else if bare.chars().count() < SHORTEST {
        Some("has fewer than 16 characters, so it can be guessed")
    } else if bare.chars().all(|character| bare.starts_with(character)) {
        Some("is the same character repeated, so it can be guessed")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_a_secret_does_not_count() {
        for (secret, weak) in [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false),
            ("v1,whsec_c2hvcnQ=", true),
            ("Bearer tooshort", true),
        ] {
            assert_eq!(weakness(secret).is_some(), weak, "{secret}");
        }
    }
}
