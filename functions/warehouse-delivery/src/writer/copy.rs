//! Writes rows with `COPY`: the fastest way into tables that have none of them. It knows no conflicts, so it fails as a
//! whole if one of the rows is there.

use std::{io::Cursor, pin::pin};

use futures_util::SinkExt;
use tokio_postgres::{Client, Error, types::Type};

use crate::{
    catalogue::Table,
    prepare::Texts,
    sql::{self, quoted},
};

/// The tables that rows can be copied into. Without a unique `id` nothing would refuse a row that is there already, and
/// `COPY` knows no row-level security.
const TAKING_COPIES: &str = "
SELECT c.oid FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'
JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
  AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
WHERE c.oid = ANY($1) AND c.relkind = 'r' AND NOT c.relrowsecurity";

/// Returns the object ids of those of these tables that rows can be copied into.
///
/// # Errors
/// Those of PostgreSQL.
pub(super) async fn taking_copies(client: &Client, tables: &[u32]) -> Result<Vec<u32>, Error> {
    let rows = client.query_typed(TAKING_COPIES, &[(&tables, Type::OID_ARRAY)]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Writes rows into a table. `values` has a list for each column.
///
/// # Errors
/// Those of PostgreSQL.
pub(super) async fn copy(
    client: &Client,
    (schema, name): (&str, &str),
    known: &Table,
    columns: &[&str],
    values: &[Texts<'_>],
) -> Result<(), Error> {
    // PostgreSQL reads this text as the time of the transaction.
    let written_at = known.columns.contains_key("uuid_ts").then_some(("uuid_ts", "now"));
    let targets = columns.iter().copied().chain(written_at.map(|(column, _)| column));
    let targets: Vec<String> = targets.map(quoted).collect();
    let statement = format!("COPY {} ({}) FROM STDIN", sql::table(schema, name), targets.join(", "));
    let rows = lines(values, written_at.map(|(_, now)| now));
    // The library prepares this statement by name, and closes it before the transaction ends, as poolers require.
    let mut sink = pin!(client.copy_in::<str, Cursor<String>>(&statement).await?);
    sink.send(Cursor::new(rows)).await?;
    sink.finish().await.map(drop)
}

/// Returns the rows in the text format of `COPY` (PostgreSQL docs, "COPY", "Text Format").
fn lines(values: &[Texts<'_>], last: Option<&str>) -> String {
    let mut lines = String::new();
    for row in 0..values.first().map_or(0, Vec::len) {
        for (column, values) in values.iter().enumerate() {
            if column > 0 {
                lines.push('\t');
            }
            match values.get(row).and_then(Option::as_deref) {
                Some(text) => escape(text, &mut lines),
                None => lines.push_str("\\N"),
            }
        }
        if let Some(last) = last {
            lines.push('\t');
            lines.push_str(last);
        }
        lines.push('\n');
    }
    lines
}

fn escape(text: &str, lines: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\t', '\n', '\r']) {
        let (before, after) = rest.split_at(at);
        lines.push_str(before);
        lines.push_str(match after.as_bytes()[0] {
            b'\t' => "\\t",
            b'\n' => "\\n",
            b'\r' => "\\r",
            _ => "\\\\",
        });
        rest = &after[1..];
    }
    lines.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_row_is_a_line_with_tabs_between_its_values() {
        let values = [vec![Some("a".into()), Some("\\N".into())], vec![None, Some("t\tn\nr\rä\\".into())]];
        assert_eq!(lines(&values, None), "a\t\\N\n\\\\N\tt\\tn\\nr\\rä\\\\\n");
        assert_eq!(lines(&values[..1], Some("now")), "a\tnow\n\\\\N\tnow\n");
    }
}
