//! Values that have no place in their row. They are kept in a table of their own, with the reason.

use jiff::Timestamp;
use serde_json::Value;

use crate::{digest::hex_digest, value::Misfit};

/// The table of the discarded values.
pub const DISCARDS: &str = "segue_discards";

/// The name of the column of a discarded value that is a whole row.
pub const WHOLE_ROW: &str = "*";

/// A value that has no place in its row.
#[derive(Clone, Debug, PartialEq)]
pub struct Discard {
    /// The table of its row.
    pub table: String,
    /// The `id` of its row.
    pub row_id: String,
    /// The column that it was for.
    pub column: String,
    /// The way to it in the message, such as `properties.price`.
    pub property: String,
    /// The value as JSON: a text and a number with the same characters must stay apart.
    pub value: String,
    /// Why it was discarded.
    pub reason: Reason,
    /// When its message was received.
    pub received_at: Timestamp,
    /// The user of its message. The value goes with the user.
    pub user_id: Option<String>,
    /// The version of a value of a row of `users` or `accounts`.
    pub version: Option<String>,
}

/// Why a value was discarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It does not fit its column.
    #[error("{misfit}: {column_type}")]
    Misfit {
        /// Why.
        misfit: Misfit,
        /// The column's type in SQL.
        column_type: String,
    },
    /// Another property has the same column.
    #[error("another property of the message has the same column")]
    Collision,
    /// The column is filled from elsewhere in the message.
    #[error("the column is a standard one, which no property can set")]
    StandardColumn,
    /// It holds NUL, which PostgreSQL refuses. The row has the value with U+FFFD in its place.
    #[error("PostgreSQL takes no NUL; the row has U+FFFD in its place")]
    Nul,
    /// The table has too many columns for another one.
    #[error("the table has too many columns for another one")]
    ColumnLimit,
    /// The schema has too many tables for another one.
    #[error("the schema has too many tables for another one")]
    TableLimit,
    /// The name belongs to something that takes no rows, such as a view or a generated column.
    #[error("the name belongs to something that takes no values, such as a view or a generated column")]
    NotWritable,
    /// The id of the row is too long.
    #[error("an id has at most 1,024 characters")]
    LongId,
    /// PostgreSQL refused it.
    #[error("PostgreSQL refused it: {0}")]
    Refused(String),
}

impl Reason {
    /// Returns the name for metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Misfit { misfit: Misfit::Type, .. } => "type",
            Self::Misfit { misfit: Misfit::Range, .. } => "range",
            Self::Collision => "collision",
            Self::StandardColumn => "standard_column",
            Self::Nul => "nul",
            Self::ColumnLimit => "column_limit",
            Self::TableLimit => "table_limit",
            Self::NotWritable => "not_writable",
            Self::LongId => "long_id",
            Self::Refused(_) => "refused",
        }
    }
}

impl Discard {
    /// Returns the `id` of its row in the table. The same value of the same row has the same one, so it is stored once.
    /// A row of `users` keeps one discarded value of each property: the latest.
    pub fn id(&self) -> String {
        let key = [&*self.table, &self.row_id, &self.property];
        hex_digest(&Value::from(key.map(Value::from).to_vec()).to_string())
    }
}
