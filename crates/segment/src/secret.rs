//! A string that must never be shown: a write key, a signing secret or a password.

use std::fmt;

use serde::Deserialize;
use subtle::ConstantTimeEq;

/// A secret string. It prints as `***` and is compared in constant time.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the secret itself, for signing or for a credentials header. Never put it into a log or an
    /// error text.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is empty. An empty secret counts as not configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `candidate` is this secret, in a time that depends only on their lengths.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(candidate).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    }

    #[test]
    fn a_secret_matches_only_itself() {
        let secret = Secret::new("hunter2");
        for (candidate, expected) in
            [("hunter2", true), ("hunter", false), ("hunter22", false), ("", false), ("Hunter2", false)]
        {
            assert_eq!(secret.matches(candidate.as_bytes()), expected, "{candidate}");
        }
    }
}
