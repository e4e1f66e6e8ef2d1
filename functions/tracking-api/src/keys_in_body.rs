//! Finds the write keys in a body without parsing all of it: a sender without a key costs only one pass over
//! the text.

use segment::json::{self, JsonError};
use serde::de::IgnoredAny;

use crate::{response::Failure, write_key::Refusal};

/// Returns the write keys of a body and of the messages in its batch.
pub(crate) fn find(text: &[u8]) -> Result<Vec<String>, Failure> {
    json::parse_as::<IgnoredAny>(text)?;
    let body = String::from_utf8_lossy(text.trim_ascii_start());
    if !body.starts_with('{') {
        return Err(JsonError::NotAnObject.into());
    }
    let of_messages = json::members(&body).filter(|(name, _)| name == "batch");
    let of_messages = of_messages.flat_map(|(_, batch)| json::items(batch)).flat_map(json::members);
    let keys = json::members(&body).chain(of_messages).filter(|(name, _)| name == "writeKey");
    let keys = keys.map(|(_, key)| read(key)).collect::<Result<Vec<_>, Refusal>>()?;
    Ok(keys.into_iter().filter(|key| !key.is_empty()).collect())
}

/// Returns a write key in JSON. It is empty if the value is null.
fn read(key: &str) -> Result<String, Refusal> {
    let key: Option<String> = json::parse_as(key.as_bytes()).map_err(|_| Refusal::Unknown)?;
    Ok(key.unwrap_or_default().trim().to_owned())
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
            (r#"{"\ud800":1,"writeKey":"a"}"#, &["a"]),
            (r#"{"batch":{"writeKey":"no"},"writeKey":"","n":1.5e400,"t":true}"#, &[]),
        ] {
            let Ok(found) = find(text.as_bytes()) else { panic!("{text}") };
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_key_that_is_no_text_is_refused_and_a_body_that_is_no_object_cannot_be_read() {
        for key in ["7", "true", "[]", "{}", "1.5"] {
            let text = format!(r#"{{"batch":[{{"writeKey":{key}}}]}}"#);
            assert!(matches!(find(text.as_bytes()), Err(Failure::NotAuthentic(Refusal::Unknown))), "{key}");
        }
        for text in ["", "7", "[]", "null", "{", r#"{"a":}"#] {
            assert!(matches!(find(text.as_bytes()), Err(Failure::Malformed(_))), "{text}");
        }
    }
}
