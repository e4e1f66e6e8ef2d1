//! The write keys of Segment's sources, by name.

use std::{collections::BTreeMap, sync::Arc};

use segment::{Credentials, CredentialsError, Secret};
use serde_json::Value;
use settings::{DEFAULT_WRITE_KEY, nearest::misspelled};

use crate::secrets::{CachedSecret, SecretError};

/// Write keys by name, as the secret holds them: a JSON object such as `{"default":"…","eu-shop":"…"}`, or
/// one bare write key, which then has the name [`DEFAULT_WRITE_KEY`].
#[derive(Clone, Debug)]
pub struct WriteKeys(BTreeMap<String, Secret>);

impl WriteKeys {
    /// Reads the secret's text. A name with an empty key counts as not configured.
    ///
    /// # Errors
    /// A sentence that says what is wrong and quotes no key.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_as("write key", text)
    }

    /// Reads a secret that holds other values by the names of the write keys, in the same two forms. `what`
    /// is the word for such a value in a sentence.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_as(what: &str, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let example = format!("{{\"default\":\"<{what}>\"}}");
        // A write key consists of letters and digits, possibly of digits alone. So only a text that begins
        // like a JSON object, array or string is read as JSON.
        if !text.starts_with(['{', '[', '"']) {
            return match text {
                "" => Err(format!("it is empty; store a JSON object such as {example}")),
                key => Ok(Self(BTreeMap::from([(DEFAULT_WRITE_KEY.to_owned(), Secret::new(key))]))),
            };
        }
        let Ok(object) = segment::json::parse_object(text.as_bytes()) else {
            return Err(format!("it is not a JSON object; store {example}"));
        };
        let mut keys = BTreeMap::new();
        for (name, value) in object {
            match value {
                Value::String(key) if key.trim().is_empty() => {}
                Value::String(key) => {
                    keys.insert(name, Secret::new(key.trim()));
                }
                _ => return Err(format!("the {what} {name:?} is not a string")),
            }
        }
        if keys.is_empty() {
            return Err(format!("it holds no {what}; store {example}"));
        }
        // Messages that name no write key would find none and would be given up.
        if let (None, Some(name)) =
            (keys.get(DEFAULT_WRITE_KEY), misspelled(DEFAULT_WRITE_KEY, keys.keys().map(String::as_str)))
        {
            return Err(format!("no {what} is named {DEFAULT_WRITE_KEY:?}; did you mean that by {name:?}?"));
        }
        Ok(Self(keys))
    }

    /// Returns the write key with this name.
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// Returns the name of a write key, or the first name in order if it has several. Every key is compared
    /// in constant time, so that the time reveals nothing about any of them.
    pub fn name_of(&self, key: &str) -> Option<&str> {
        self.0.iter().fold(None, |found, (name, known)| {
            let matches = known.matches(key.as_bytes());
            found.or(matches.then_some(name.as_str()))
        })
    }
}

/// One of the write keys of a secret, for Segment's client. It changes when the secret does.
#[derive(Clone, Debug)]
pub struct NamedWriteKey {
    /// All write keys.
    pub keys: Arc<CachedSecret<WriteKeys>>,
    /// The name of this key.
    pub name: String,
}

impl NamedWriteKey {
    /// A secret that cannot be read or understood is not yet a reason to give a message up: it can be fixed
    /// without touching the messages. A name that is missing from the secret is a reason.
    fn named(&self, keys: Result<Arc<WriteKeys>, SecretError>) -> Result<Secret, CredentialsError> {
        let keys = keys.map_err(|error| CredentialsError::Unavailable(error.into()))?;
        keys.get(&self.name).cloned().ok_or(CredentialsError::NoWriteKey)
    }
}

impl Credentials for NamedWriteKey {
    async fn write_key(&self) -> Result<Secret, CredentialsError> {
        self.named(self.keys.get().await)
    }

    async fn refreshed(&self) -> Result<Secret, CredentialsError> {
        self.named(self.keys.refreshed().await)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{clock::HeldClock, secrets::StaticSecret};

    fn named(secret: &str, name: &str) -> NamedWriteKey {
        let clock = HeldClock::at(Timestamp::UNIX_EPOCH);
        let keys = CachedSecret::new(StaticSecret(Secret::new(secret)), WriteKeys::parse, clock);
        NamedWriteKey { keys: Arc::new(keys), name: name.to_owned() }
    }

    #[tokio::test]
    async fn a_named_write_key_is_that_of_its_name() {
        let keys = r#"{"default":"k1","shop":"k2"}"#;
        for (name, expected) in [("default", "k1"), ("shop", "k2")] {
            let key = named(keys, name);
            assert_eq!(key.write_key().await.unwrap(), Secret::new(expected));
            assert_eq!(key.refreshed().await.unwrap(), Secret::new(expected));
        }
        assert!(matches!(named(keys, "other").write_key().await, Err(CredentialsError::NoWriteKey)));
        assert!(matches!(named("{}", "default").write_key().await, Err(CredentialsError::Unavailable(_))));
    }

    #[test]
    fn write_keys_are_read_by_name() {
        let keys = WriteKeys::parse(r#"{"default":" k1 ","shop":"k2","unset":""}"#).unwrap();
        assert_eq!(keys.get(DEFAULT_WRITE_KEY), Some(&Secret::new("k1")));
        assert_eq!(keys.get("shop"), Some(&Secret::new("k2")));
        assert_eq!(keys.get("unset"), None);
        assert_eq!(keys.get("other"), None);
    }

    #[test]
    fn a_write_key_has_the_first_of_its_names() {
        let keys = WriteKeys::parse(r#"{"shop":"k2","default":"k1","again":"k2","unset":""}"#).unwrap();
        for (key, expected) in [
            ("k1", Some("default")),
            ("k2", Some("again")),
            ("k", None),
            ("k11", None),
            ("K1", None),
            ("", None),
            ("default", None),
        ] {
            assert_eq!(keys.name_of(key), expected, "{key}");
        }
    }

    #[test]
    fn a_bare_key_is_the_default_one() {
        for text in ["k1", " k1\n"] {
            assert_eq!(
                WriteKeys::parse(text).unwrap().get(DEFAULT_WRITE_KEY),
                Some(&Secret::new("k1")),
                "{text:?}"
            );
        }
        assert_eq!(WriteKeys::parse("123").unwrap().get(DEFAULT_WRITE_KEY), Some(&Secret::new("123")));
    }

    #[test]
    fn a_text_without_a_write_key_is_refused_without_being_quoted() {
        for (text, expected) in [
            ("", "it is empty; store a JSON object such as {\"default\":\"<write key>\"}"),
            ("  ", "it is empty; store a JSON object such as {\"default\":\"<write key>\"}"),
            ("{}", "it holds no write key; store {\"default\":\"<write key>\"}"),
            (r#"{"default":""}"#, "it holds no write key; store {\"default\":\"<write key>\"}"),
            (
                r#"{"defualt":"hunter2"}"#,
                "no write key is named \"default\"; did you mean that by \"defualt\"?",
            ),
            (r#"{"default":7}"#, "the write key \"default\" is not a string"),
            (r#"["hunter2"]"#, "it is not a JSON object; store {\"default\":\"<write key>\"}"),
            (r#"{"default":"hunter2"#, "it is not a JSON object; store {\"default\":\"<write key>\"}"),
        ] {
            assert_eq!(WriteKeys::parse(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn write_keys_never_print_themselves() {
        assert!(!format!("{:?}", WriteKeys::parse("hunter2").unwrap()).contains("hunter2"));
    }
}
