//! Rows that a disk has damaged: one bit is enough to make a text none. They concern nobody but themselves.

use rusqlite::{Row, types::ValueRef};

use crate::topic::Attributes;

/// The reason that people read.
pub(super) const REASON: &str = "the store's row of it is damaged, as by a failing disk";

/// The short name of the reason.
pub(super) const FAILURE: &str = "damaged";

/// In the dead-letter queue: the attributes as they were found, where they cannot be read. Without them nobody knows
/// which write key the message is for, so it is not delivered.
const DAMAGED_ATTRIBUTES: &str = "damagedAttributes";

/// A column's text, or nothing when it is none.
pub(super) fn text(row: &Row, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        _ => None,
    })
}

/// A column's text as well as it can be shown.
///
/// # Errors
/// When there is no such column.
pub fn lossy(row: &Row, column: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
    })
}

/// A column's number, or nothing when it is none.
pub(super) fn number(row: &Row, column: usize) -> rusqlite::Result<Option<i64>> {
    Ok(row.get_ref(column)?.as_i64().ok())
}

/// A message's attributes, or what is left of them.
pub(super) fn attributes(row: &Row, column: usize) -> rusqlite::Result<Result<Attributes, Attributes>> {
    let read = text(row, column)?.and_then(|text| serde_json::from_str::<Attributes>(&text).ok());
    Ok(match read {
        Some(attributes) if attributes.contains_key(DAMAGED_ATTRIBUTES) => Err(attributes),
        Some(attributes) => Ok(attributes),
        None => Err([(DAMAGED_ATTRIBUTES.to_owned(), lossy(row, column)?)].into()),
    })
}
