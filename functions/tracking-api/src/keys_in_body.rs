//! The write keys in a body, found without a tree of it: a sender that has none costs no more than a pass over the text.

use std::fmt;

use segment::json::{self, JsonError};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{response::Failure, write_key::Refusal};

/// The write keys of a body and of the messages in its batch.
pub(crate) fn find(text: &[u8]) -> Result<Vec<String>, Failure> {
    let found: Found = json::parse_as(text)?;
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(JsonError::NotAnObject.into());
    }
    if found.other { Err(Refusal::Unknown.into()) } else { Ok(found.keys) }
}

#[derive(Default)]
struct Found {
    keys: Vec<String>,
    /// Whether a `writeKey` is something else than a text.
    other: bool,
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut found = Self::default();
        Scan { at: At::Body, found: &mut found }.deserialize(deserializer)?;
        Ok(found)
    }
}

/// Where in the body a value is.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Body,
    Batch,
    Message,
    WriteKey,
    Elsewhere,
}

impl At {
    /// Where a member of an object here is.
    fn member(self, name: &str) -> Self {
        match (self, name) {
            (Self::Body | Self::Message, "writeKey") => Self::WriteKey,
            (Self::Body, "batch") => Self::Batch,
            _ => Self::Elsewhere,
        }
    }
}

/// Goes over one value.
struct Scan<'f> {
    at: At,
    found: &'f mut Found,
}

impl Scan<'_> {
    fn note(self, key: Option<&str>) {
        match key.map(str::trim) {
            _ if self.at != At::WriteKey => {}
            Some("") => {}
            Some(key) => self.found.keys.push(key.to_owned()),
            None => self.found.other = true,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Scan<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.at {
            At::Elsewhere => IgnoredAny::deserialize(deserializer).map(drop),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Scan<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(Scan { at: self.at.member(&name), found: self.found })?;
        }
        // A number that keeps its digits comes as a map too.
        self.note(None);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let at = if self.at == At::Batch { At::Message } else { At::Elsewhere };
        while list.next_element_seed(Scan { at, found: self.found })?.is_some() {}
        self.note(None);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.note(Some(text));
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.note(None);
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.note(None);
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.note(None);
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.note(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_the_body_and_of_its_messages_are_found_and_no_others() {
        for (text, expected) in [
            (r#"{"writeKey":"a","event":"e","properties":{"writeKey":"no"}}"#, &["a"][..]),
            (
                r#"{"batch":[{"writeKey":"a"},7,[{"writeKey":"no"}],{"context":{"writeKey":"no"}},null]}"#,
                &["a"],
            ),
            (
                r#"{"batch":[{"batch":[{"writeKey":"no"}]},{"writeKey":"\ud800b"}],"writeKey":null}"#,
                &["\u{fffd}b"],
            ),
            (r#"{"batch":{"writeKey":"no"},"writeKey":"","n":1.5e400,"t":true}"#, &[]),
        ] {
            let Ok(found) = find(text.as_bytes()) else { panic!("{text}") };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_key_that_is_no_text_is_refused_and_what_is_no_object_cannot_be_read() {
        for key in ["7", "true", "[]", "{}", "1.5"] {
            let text = format!(r#"{{"batch":[{{"writeKey":{key}}}]}}"#);
            assert!(matches!(find(text.as_bytes()), Err(Failure::NotAuthentic(Refusal::Unknown))), "{key}");
        }
        for text in ["", "7", "[]", "null", "{", r#"{"a":}"#] {
            assert!(matches!(find(text.as_bytes()), Err(Failure::Malformed(_))), "{text}");
        }
    }
}
