//! Rows that a disk has damaged. One flipped bit can make a text unreadable. A damaged row affects only
//! itself.

use rusqlite::{Row, types::ValueRef};

use crate::topic::Attributes;

/// The reason, for people.
pub(super) const REASON: &str = "the message's row in the store is damaged, perhaps by a failing disk";

/// The short name of the reason.
pub(super) const FAILURE: &str = "damaged";

/// In the dead-letter queue: the raw text of attributes that cannot be read. Without its attributes a message
/// has no write key, so it is not delivered.
const DAMAGED_ATTRIBUTES: &str = "damagedAttributes";

/// Returns a column's text, or `None` if it is not text.
pub(super) fn text(row: &Row, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        _ => None,
    })
}

/// Returns a column's text, with replacement characters where it is damaged.
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

/// Returns a column's number, or `None` if it is not a number.
pub(super) fn number(row: &Row, column: usize) -> rusqlite::Result<Option<i64>> {
    Ok(row.get_ref(column)?.as_i64().ok())
}

/// Returns a message's attributes. The error holds the attributes that are left of damaged ones.
pub(super) fn attributes(row: &Row, column: usize) -> rusqlite::Result<Result<Attributes, Attributes>> {
    let read = text(row, column)?.and_then(|text| serde_json::from_str::<Attributes>(&text).ok());
    Ok(match read {
        Some(attributes) if attributes.contains_key(DAMAGED_ATTRIBUTES) => Err(attributes),
        Some(attributes) => Ok(attributes),
        None => Err([(DAMAGED_ATTRIBUTES.to_owned(), lossy(row, column)?)].into()),
    })
}
