//! Reads members of JSON objects.

use serde_json::{Map, Value};

use crate::error::Unusable;

/// Returns a member that is a text and not blank.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str().filter(|text| !text.trim().is_empty())
}

/// Returns a member that is an object.
pub(crate) fn object<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    object.get(name)?.as_object()
}

/// Returns a required object. `path` is its path in the error.
pub(crate) fn required_object<'a>(
    object: &'a Map<String, Value>,
    name: &str,
    path: &str,
) -> Result<&'a Map<String, Value>, Unusable> {
    match object.get(name) {
        Some(Value::Object(found)) => Ok(found),
        Some(Value::Null) | None => Err(Unusable::new(path, "is missing")),
        Some(_) => Err(Unusable::new(path, "must be an object")),
    }
}

/// Returns a required text. `path` is its path in the error.
pub(crate) fn required_text<'a>(
    object: &'a Map<String, Value>,
    name: &str,
    path: &str,
) -> Result<&'a str, Unusable> {
    let problem = match object.get(name) {
        Some(Value::String(text)) if text.trim().is_empty() => "must not be empty",
        Some(Value::String(text)) => return Ok(text),
        Some(Value::Null) | None => "is missing",
        Some(_) => "must be a string",
    };
    Err(Unusable::new(path, problem))
}

/// Returns texts of an object under new names.
pub(crate) fn renamed(from: &Map<String, Value>, names: &[(&str, &str)]) -> Map<String, Value> {
    let one = |(name, to): &(&str, &str)| Some(((*to).to_owned(), text(from, name)?.into()));
    names.iter().filter_map(one).collect()
}
