//! Lossless JSON. Everything that Node's `JSON.parse` accepts is accepted, and values are written as they
//! were read.
//!
//! Numbers keep their digits and objects keep their key order through serde_json's `arbitrary_precision` and
//! `preserve_order`. An exponent is written with its sign, so `1E400` is written as `1e+400`. This module
//! closes two gaps. One is lone surrogate escapes, which truncated emoji leave behind and serde_json refuses.
//! The other is the two noncharacters that SQS and SNS silently replace.

mod raw;
mod read;
mod repeated;

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use self::raw::{items, members};
pub use self::read::{Fault, FaultProblem, MAX_LEVELS, MAX_MEMORY_BYTES};
use self::read::{Items, Limit, ReadState};
pub use self::repeated::repeated_names;

/// Why a text is not usable JSON. The position is serde_json's line and column. The text is never quoted.
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
    /// The text is not JSON.
    #[error("the body is not JSON: {problem} at line {line} column {column}")]
    Malformed {
        /// The kind of fault.
        problem: &'static str,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// The text is JSON, but not an object.
    #[error("the body is JSON but not an object")]
    NotAnObject,
    /// The text is JSON that is not supported.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// The values of the text would take more than [`MAX_MEMORY_BYTES`].
    #[error("the body has too many values to read at once; send it in parts")]
    TooManyValues,
    /// The list has too many items.
    #[error("the body has more than {most} items; send it in parts")]
    TooManyItems {
        /// The most items that are read.
        most: usize,
    },
}

impl JsonError {
    /// Whether the text could be read if it were split into parts.
    pub fn is_too_much(&self) -> bool {
        matches!(self, Self::TooManyValues | Self::TooManyItems { .. })
    }
}

/// Reads any JSON value. Lone surrogate escapes become U+FFFD.
///
/// # Errors
/// [`JsonError`] when the bytes are not UTF-8, not JSON, nested deeper than [`MAX_LEVELS`], or larger than
/// [`MAX_MEMORY_BYTES`] in memory, or when they have a member with the one reserved name.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let (value, faults) = read(text, None)?;
    faults.into_iter().next().map_or(Ok(value), |fault| Err(fault.into()))
}

/// Reads a JSON value that contains a list of independent items, like [`parse`]. `at` names the members that
/// lead to the list, and `most` is the most items that are read. An item with a fault becomes null, and the
/// fault is returned beside the value. Each item may have all [`MAX_LEVELS`].
///
/// # Errors
/// Those of [`parse`], for faults outside the list and for too many items.
pub fn parse_items(
    text: &[u8],
    at: &'static [&'static str],
    most: usize,
) -> Result<(Value, Vec<Fault>), JsonError> {
    let list = match at {
        [] => "[".to_owned(),
        names => format!("{}[", names.join(".")),
    };
    let (value, faults) = read(text, Some(Items { at, most }))?;
    match faults.iter().find(|fault| !fault.path.starts_with(&list)) {
        Some(fault) => Err(fault.clone().into()),
        None => Ok((value, faults)),
    }
}

/// Reads one JSON value from each line that is not blank, at most `most` lines. A line that [`parse`] would
/// refuse becomes null.
///
/// # Errors
/// [`JsonError`] when there are more lines, or when all values together take more than [`MAX_MEMORY_BYTES`].
pub fn parse_lines(text: &[u8], most: usize) -> Result<Vec<Value>, JsonError> {
    let mut state = ReadState::new(None);
    let mut values = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        if values.len() == most {
            return Err(JsonError::TooManyItems { most });
        }
        let before = state.faults.len();
        let value = std::str::from_utf8(line).ok().and_then(|line| state.read(&repair_surrogates(line)).ok());
        if state.limit.is_some() {
            return Err(JsonError::TooManyValues);
        }
        let spoiled = state.faults.len() > before;
        values.push(value.filter(|_| !spoiled).unwrap_or_default());
    }
    Ok(values)
}

/// Reads only the parts of a JSON text that `T` needs, and builds no values for the rest.
///
/// # Errors
/// [`JsonError`] when the bytes are not UTF-8 or not JSON, or do not match `T`.
pub fn parse_as<T: DeserializeOwned>(text: &[u8]) -> Result<T, JsonError> {
    serde_json::from_str(&checked(text)?).map_err(|error| malformed(&error))
}

fn read(text: &[u8], items: Option<Items>) -> Result<(Value, Vec<Fault>), JsonError> {
    let mut state = ReadState::new(items);
    let value = state.read(&checked(text)?);
    match (value, state.limit) {
        (Ok(value), _) => Ok((value, state.faults)),
        (Err(_), Some(Limit::Memory)) => Err(JsonError::TooManyValues),
        (Err(_), Some(Limit::Items)) => {
            Err(JsonError::TooManyItems { most: items.map_or(0, |items| items.most) })
        }
        (Err(error), None) => Err(malformed(&error)),
    }
}

/// Returns the text in a form that serde_json accepts.
fn checked(text: &[u8]) -> Result<Cow<'_, str>, JsonError> {
    let text = std::str::from_utf8(text).map_err(|error| JsonError::NotUtf8 { at: error.valid_up_to() })?;
    if text.trim().is_empty() { Err(JsonError::Empty) } else { Ok(repair_surrogates(text)) }
}

fn malformed(error: &serde_json::Error) -> JsonError {
    JsonError::Malformed {
        problem: match error.classify() {
            serde_json::error::Category::Eof => "it ends too early",
            _ => "there is a syntax error",
        },
        line: error.line(),
        column: error.column(),
    }
}

/// Reads a JSON object like [`parse`].
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
/// escaped, and so are control characters (SQS API reference, SendMessage, "MessageBody").
pub fn encode(object: &Map<String, Value>) -> String {
    // Most messages fit, so the text need not grow.
    let mut text = Vec::with_capacity(2_048);
    // Serializing a map of strings and values cannot fail, and makes a text.
    let _ = serde_json::to_writer(&mut text, object);
    for_queues(String::from_utf8(text).unwrap_or_default())
}

/// Returns JSON text in characters that SQS and SNS pass on unchanged.
pub fn for_queues(text: String) -> String {
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    } else {
        text
    }
}

/// Replaces each `\uD800`–`\uDFFF` escape that is not half of a pair with `\ufffd`.
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
            // Another escape, such as `\\` or `\"`: its two characters belong together.
            None => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
        };
        repaired.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    repaired.push_str(rest);
    Cow::Owned(repaired)
}

/// Returns the code unit of a `\uXXXX` escape at the start of `text`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u16::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests;
