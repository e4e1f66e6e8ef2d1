//! What the user leaves out: events and columns, as Segment's Selective Sync.

use std::str::FromStr;

use crate::record::{Row, Rows};

/// Which tables and columns are written. By default all are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

/// Patterns of tables such as `order_*`, and of columns such as `order_completed.card_*` or `*.context_ip`. A star stands
/// for any text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patterns(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    table: String,
    /// Without it, the pattern is for whole tables.
    column: Option<String>,
}

/// Why a text is not a list of patterns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no table or column; write names as they are in the database, such as order_completed or *.context_ip"
)]
pub struct PatternError(String);

impl FromStr for Patterns {
    type Err = PatternError;

    /// Reads patterns that are separated by commas.
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let pattern = |part: &str| {
            let (table, column) =
                part.split_once('.').map_or((part, None), |(table, column)| (table, Some(column)));
            let is_name = |name: &str| {
                let is_of_name =
                    |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_*".contains(&byte);
                !name.is_empty() && name.bytes().all(is_of_name)
            };
            let is_valid = is_name(table) && column.is_none_or(is_name);
            let (table, column) = (table.to_owned(), column.map(str::to_owned));
            if is_valid { Ok(Pattern { table, column }) } else { Err(PatternError(part.to_owned())) }
        };
        parts.map(pattern).collect::<Result<_, _>>().map(Self)
    }
}

impl Selection {
    /// Returns the selection of what `include` names, or of all if it names nothing, without what `exclude` names.
    pub fn new(include: Patterns, exclude: Patterns) -> Self {
        Self { include: include.0, exclude: exclude.0 }
    }

    /// Leaves rows and columns out.
    pub fn apply(&self, rows: &mut Rows) {
        if self.include.is_empty() && self.exclude.is_empty() {
            return;
        }
        let Rows { cells, rows, discards, .. } = rows;
        rows.retain(|row| self.wants_table(&row.table));
        for row in rows.iter_mut() {
            let is_left_out = |index: &usize| !self.wants_column(&row.table, &cells[*index].column);
            row.left_out = row.cells.clone().filter(is_left_out).collect();
        }
        discards.retain(|discard| {
            rows.iter().any(|row: &Row| *row.table == *discard.table)
                && self.wants_column(&discard.table, &discard.column)
        });
    }

    fn wants_table(&self, table: &str) -> bool {
        let mut tables = self.include.iter().filter(|pattern| pattern.column.is_none()).peekable();
        let is_included = tables.peek().is_none() || tables.any(|pattern| matches(&pattern.table, table));
        let is_excluded = |pattern: &Pattern| pattern.column.is_none() && matches(&pattern.table, table);
        is_included && !self.exclude.iter().any(is_excluded)
    }

    fn wants_column(&self, table: &str, column: &str) -> bool {
        let of_table = |pattern: &&Pattern| pattern.column.is_some() && matches(&pattern.table, table);
        let is_column =
            |pattern: &Pattern| pattern.column.as_deref().is_some_and(|name| matches(name, column));
        let mut included = self.include.iter().filter(of_table).peekable();
        let is_included = included.peek().is_none() || included.any(is_column);
        is_included && !self.exclude.iter().filter(of_table).any(is_column)
    }
}

/// Whether a name has this pattern.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let parts: Vec<&str> = rest.split('*').collect();
    let Some((end, middle)) = parts.split_last() else { return true };
    for part in middle {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("tracks", "tracks", true),
            ("tracks", "track", false),
            ("*", "tracks", true),
            ("order_*", "order_completed", true),
            ("order_*", "reorder_x", false),
            ("*_id", "card_id", true),
            ("*_id", "card_ids", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "acb", false),
            ("*a*", "a", true),
            ("aa*a", "aa", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_selection_is_what_is_included_without_what_is_excluded() {
        let selection =
            |include: &str, exclude: &str| Selection::new(include.parse().unwrap(), exclude.parse().unwrap());
        for (include, exclude, table, column, expected) in [
            ("", "", "tracks", "event", (true, true)),
            ("order_*, tracks", "", "pages", "url", (false, true)),
            ("order_*,tracks", "order_refunded", "order_refunded", "a", (false, true)),
            ("", "*.context_ip", "users", "context_ip", (true, false)),
            ("", "users.card_*", "identifies", "card_number", (true, true)),
            ("", "users.card_*", "users", "card_number", (true, false)),
            ("users.email,users.plan", "", "users", "phone", (true, false)),
            ("users.email,users.plan", "", "identifies", "phone", (true, true)),
        ] {
            let selection = selection(include, exclude);
            let wanted = (selection.wants_table(table), selection.wants_column(table, column));
            assert_eq!(wanted, expected, "{include} {exclude} {table}.{column}");
        }
        for text in ["Order Completed", "a.b.c", ".a", "a.", "x;y"] {
            assert!(text.parse::<Patterns>().is_err(), "{text}");
        }
    }
}
