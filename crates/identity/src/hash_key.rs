//! The key for hashing personal data, where the mapping asks for it.

use std::fmt;

use ring::hmac::{self, HMAC_SHA256};
use segment::json;
use serde_json::Value;
use settings::weakness;

/// The key for hashing personal data. It prints as `***`.
#[derive(Clone)]
pub struct HashKey {
    /// `None` in a dry run without a key.
    key: Option<hmac::Key>,
    weakness: Option<&'static str>,
}

impl HashKey {
    /// The member of the identity secret with the key.
    pub const MEMBER: &str = "hashKey";

    /// Returns a key with these bytes.
    pub fn new(secret: &str) -> Self {
        let key = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
        Self { key: Some(key), weakness: weakness(secret) }
    }

    /// Reads the key from an identity secret, if it has one. Ignores the other members. An error quotes
    /// nothing.
    pub fn from_secret(text: &str) -> Result<Option<Self>, String> {
        let secret = json::parse_object(text.as_bytes()).map_err(|error| error.to_string())?;
        if json::repeated_names(text).iter().any(|name| name == Self::MEMBER) {
            return Err(format!("{}: occurs twice; put all of it into one", Self::MEMBER));
        }
        let key = secret.get(Self::MEMBER).map(Self::read).transpose();
        key.map_err(|problem| format!("{}: {problem}", Self::MEMBER))
    }

    /// Reads the member of the secret. The error is the end of a sentence and quotes nothing.
    pub fn read(value: &Value) -> Result<Self, &'static str> {
        match value {
            Value::String(text) if text.trim().is_empty() => Err("must not be empty"),
            Value::String(text) => Ok(Self::new(text)),
            _ => Err("must be a string"),
        }
    }

    /// Returns a key for a dry run, which shows `<hash>` in the place of a hash.
    pub(crate) fn placeholder() -> Self {
        Self { key: None, weakness: None }
    }

    /// Returns why the key can be guessed, if it can.
    pub(crate) fn weakness(&self) -> Option<&'static str> {
        self.weakness
    }

    /// Returns the HMAC-SHA256 of the normalized text, in lower-case hexadecimal digits.
    pub(crate) fn hash(&self, text: &str) -> String {
        let Some(key) = &self.key else { return "<hash>".to_owned() };
        let tag = hmac::sign(key, normalize(text).as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HashKey(***)")
    }
}

/// Returns the text in one spelling, so that each spelling of an address has the same hash: without spaces
/// around it, in lower case, and a phone number as + and its digits.
fn normalize(text: &str) -> String {
    let text = text.trim();
    let phone =
        text.starts_with('+') && text.chars().all(|one| one.is_ascii_digit() || "+ -.()/".contains(one));
    if phone {
        return text.chars().filter(|one| one.is_ascii_digit() || *one == '+').collect();
    }
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_the_normalized_value() {
        let key = HashKey::new("key");
        // Computed by another program: HMAC-SHA256 of "ada@example.com" with the key "key".
        let expected = "20caa94149b865c2f3a23002c8ca0b02e3dba113236448a96eae078e7e3a6cc0";
        assert_eq!(key.hash("ada@example.com"), expected);
        for (left, right, same) in [
            ("ada@example.com", " Ada@Example.COM ", true),
            ("+45 20-12.34(56)", "+4520123456", true),
            ("ada@example.com", "bo@example.com", false),
            ("4520123456", "45 20123456", false),
        ] {
            assert_eq!(key.hash(left) == key.hash(right), same, "{left} {right}");
        }
        assert_ne!(key.hash("a"), HashKey::new("another").hash("a"));
        assert_eq!(format!("{key:?}"), "HashKey(***)");
    }

    #[test]
    fn only_the_key_is_read_from_a_secret() {
        for (secret, expected) in [
            (r#"{"hashKey":"k"}"#, Ok(true)),
            (r#"{"fusionauth":{"no such member":7},"hashKey":"k"}"#, Ok(true)),
            ("{}", Ok(false)),
            (r#"{"hashKey":" "}"#, Err("hashKey: must not be empty")),
            (r#"{"hashKey":7}"#, Err("hashKey: must be a string")),
            (r#"{"hashKey":"k","hashKey":"j"}"#, Err("hashKey: occurs twice; put all of it into one")),
            ("[]", Err("the body is JSON but not an object")),
        ] {
            let found = HashKey::from_secret(secret).map(|key| key.is_some());
            assert_eq!(found, expected.map_err(str::to_owned), "{secret}");
        }
    }
}
