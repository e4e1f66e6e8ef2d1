//! The tokens for Segment's Public API, by the names of write keys.

use platform::write_keys::WriteKeys;
use segment::Secret;

/// The tokens in the secret: one token, or a JSON object of tokens by write key name, such as
/// `{"default":"…","eu-shop":"…"}`. A name that is not listed, or has an empty token, uses the token of
/// `default`.
#[derive(Clone, Debug)]
pub struct Tokens(WriteKeys);

impl Tokens {
    /// Reads the secret's text.
    ///
    /// # Errors
    /// A sentence that says what is wrong and quotes no token.
    pub fn parse(text: &str) -> Result<Self, String> {
        WriteKeys::parse_as("Public API token", text).map(Self)
    }

    /// Returns the name of the token for the write key of that name. Write keys of one workspace share a
    /// token, and so they all get the same name: [`settings::DEFAULT_WRITE_KEY`] if that is among them,
    /// otherwise the first in order.
    pub(crate) fn name_for(&self, write_key: &str) -> Option<&str> {
        let token = self.0.get(write_key).or_else(|| self.0.get(settings::DEFAULT_WRITE_KEY))?;
        match self.0.get(settings::DEFAULT_WRITE_KEY) {
            Some(default) if default == token => Some(settings::DEFAULT_WRITE_KEY),
            _ => self.0.name_of(token.expose()),
        }
    }

    /// Returns the token of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_keys_of_one_workspace_share_a_name() {
        for (secret, write_key, expected) in [
            ("t1", "default", Some("default")),
            ("t1", "shop", Some("default")),
            (r#"{"default":"t1","shop":"t2"}"#, "shop", Some("shop")),
            (r#"{"default":"t1","shop":"t2"}"#, "other", Some("default")),
            (r#"{"default":"t1","app":"t1"}"#, "app", Some("default")),
            (r#"{"default":"t1","shop":""}"#, "shop", Some("default")),
            (r#"{"shop":"t2","app":"t2"}"#, "shop", Some("app")),
            (r#"{"shop":"t2"}"#, "default", None),
            (r#"{"shop":"t2"}"#, "other", None),
        ] {
            let tokens = Tokens::parse(secret).unwrap();
            assert_eq!(tokens.name_for(write_key), expected, "{secret} {write_key}");
        }
    }

    #[test]
    fn a_secret_without_a_token_is_refused_without_being_quoted() {
        for (text, expected) in [
            ("", "it is empty; store a JSON object such as {\"default\":\"<Public API token>\"}"),
            ("{}", "it holds no Public API token; store {\"default\":\"<Public API token>\"}"),
            (r#"{"default":7}"#, "the Public API token \"default\" is not a string"),
            (r#"["hunter2"]"#, "it is not a JSON object; store {\"default\":\"<Public API token>\"}"),
        ] {
            assert_eq!(Tokens::parse(text).unwrap_err(), expected, "{text}");
        }
        assert!(!format!("{:?}", Tokens::parse("hunter2").unwrap()).contains("hunter2"));
    }
}
