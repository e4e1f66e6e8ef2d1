//! JSON in and out without loss: what Node's `JSON.parse` takes is taken, and what came in goes out.
//!
//! Numbers keep their digits and objects their key order through serde_json's `arbitrary_precision` and
//! `preserve_order`; an exponent is written with its sign, so `1E400` goes out as `1e+400`. Two gaps are closed here: lone surrogate escapes, which truncated emoji leave behind
//! and serde_json refuses, and the two noncharacters that SQS and SNS replace in silence.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Why a text is not usable JSON. The position is serde_json's line and column; the text is never quoted.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The text is empty or blank.
    #[error("the body is empty; send a JSON object")]
    Empty,
    /// The bytes are not UTF-8.
    #[error("the body is not UTF-8 at byte {at}")]
    NotUtf8 {
        /// Offset of the first bad byte.
        at: usize,
    },
    /// The text is not JSON, or nested deeper than 127 levels.
    #[error("the body is not JSON: {problem} at line {line} column {column}")]
    Malformed {
        /// What kind of fault it is.
        problem: &'static str,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// It is JSON, but not an object.
    #[error("the body is JSON but not an object")]
    NotAnObject,
}

/// Reads any JSON value. Lone surrogate escapes become U+FFFD.
///
/// # Errors
/// [`JsonError`] when the bytes are not UTF-8, not JSON, or nested deeper than 127 levels.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    read(text)
}

/// Reads what `T` takes of a JSON text, as [`parse`] does: for a caller that does not need all of it.
///
/// # Errors
/// [`JsonError`] as for [`parse`].
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    let text = std::str::from_utf8(text).map_err(|error| JsonError::NotUtf8 { at: error.valid_up_to() })?;
    if text.trim().is_empty() {
        return Err(JsonError::Empty);
    }
    serde_json::from_str(&repair_surrogates(text)).map_err(|error| JsonError::Malformed {
        problem: match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            _ if error.to_string().starts_with("recursion limit") => "it is nested deeper than 127 levels",
            _ => "there is a syntax error",
        },
        line: error.line(),
        column: error.column(),
    })
}

/// Reads a JSON object, as [`parse`] does.
///
/// # Errors
/// [`JsonError`] as for [`parse`], and when the value is not an object.
pub fn parse_object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    match parse(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Writes JSON without spaces, in characters that SQS and SNS pass on unchanged: U+FFFE and U+FFFF are
/// escaped, control characters always are (SQS API reference, SendMessage, "MessageBody").
pub fn encode(object: &Map<String, Value>) -> String {
    // Writing a map of strings and values into a string cannot fail.
    let text = serde_json::to_string(object).unwrap_or_default();
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    } else {
        text
    }
}

/// Replaces each `\uD800`–`\uDFFF` escape that is not half of a pair by `\ufffd`.
fn repair_surrogates(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let mut repaired = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        repaired.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match code_unit(rest) {
            Some(0xd800..=0xdbff) if matches!(rest.get(6..).and_then(code_unit), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => {
                repaired.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            Some(_) => 6,
            // Another escape, such as `\\` or `\"`: both characters belong together.
            None => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        repaired.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    repaired.push_str(rest);
    Cow::Owned(repaired)
}

/// The code unit of a `\uXXXX` escape at the start of `text`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u16::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(text: &str) -> String {
        encode(&parse_object(text.as_bytes()).unwrap())
    }

    #[test]
    fn number_digits_and_key_order_survive() {
        let text = r#"{"z":12345678901234567890,"a":1.0,"m":1e+400,"b":-0,"c":2.50e-7,"d":0.10,"1":[1.50]}"#;
        assert_eq!(round_trip(text), text);
        assert_eq!(round_trip(r#"{"a":1e400,"b":1E2}"#), r#"{"a":1e+400,"b":1e+2}"#);
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        for (text, expected) in [
            (r#"{"a":"x\ud83d"}"#, "{\"a\":\"x\u{fffd}\"}"),
            (r#"{"a":"\uDE00x"}"#, "{\"a\":\"\u{fffd}x\"}"),
            (r#"{"a":"\ud83d\ud83d\ude00"}"#, "{\"a\":\"\u{fffd}😀\"}"),
            (r#"{"a":"\uD83D\uDE00"}"#, "{\"a\":\"😀\"}"),
            (r#"{"a":"\\ud83d"}"#, r#"{"a":"\\ud83d"}"#),
            (r#"{"\ud83d":1}"#, "{\"\u{fffd}\":1}"),
            (r#"{"a":"\ud83d\n\"é"}"#, "{\"a\":\"\u{fffd}\\n\\\"é\"}"),
        ] {
            assert_eq!(round_trip(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_json_object_is_refused_with_the_reason() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for (text, expected) in [
            (&b""[..], "the body is empty; send a JSON object"),
            (b" \n", "the body is empty; send a JSON object"),
            (b"{\"a\":\xff}", "the body is not UTF-8 at byte 5"),
            (b"{\"a\":", "the body is not JSON: it ends too early at line 1 column 5"),
            (b"{a}", "the body is not JSON: there is a syntax error at line 1 column 2"),
            (b"[]", "the body is JSON but not an object"),
            (b"{\"a\":\"\\u12\"}", "the body is not JSON: there is a syntax error at line 1 column 12"),
            (b"{\"a\":\"\\ud8", "the body is not JSON: it ends too early at line 1 column 10"),
            (
                deep.as_bytes(),
                "the body is not JSON: it is nested deeper than 127 levels at line 1 column 128",
            ),
        ] {
            assert_eq!(parse_object(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn characters_that_queues_replace_are_escaped() {
        let text = encode(&parse_object("{\"a\":\"\u{fffe}\u{ffff}\\u0001\"}".as_bytes()).unwrap());
        assert_eq!(text, r#"{"a":"\ufffe\uffff\u0001"}"#);
    }

    proptest! {
        #[test]
        fn encoding_is_a_fixed_point(text in "\\PC*") {
            let once = encode(&Map::from_iter([("a".to_owned(), Value::String(text))]));
            prop_assert_eq!(round_trip(&once), once);
        }

        #[test]
        fn repair_never_panics_and_changes_nothing_twice(text in "(\\\\|u|d8|DC|[0-9a-f]|\"|é){0,40}") {
            let once = repair_surrogates(&text).into_owned();
            prop_assert_eq!(repair_surrogates(&once), once.as_str());
        }
    }
}
