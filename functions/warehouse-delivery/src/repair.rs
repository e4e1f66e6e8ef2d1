//! Puts discarded values back into their rows, after the user has altered their columns.

use std::collections::BTreeMap;

use delivery::Failure;
use serde_json::Value;
use tokio_postgres::{
    Client,
    types::{ToSql, Type},
};

use crate::{
    catalogue::{Column, Schema, Table},
    database::Database,
    discard::{DISCARDS, Reason, WHOLE_ROW},
    failure::Cause,
    layout::VERSIONS,
    session::Session,
    sql::{self, quoted},
    writer::{Failed, answer},
};

/// The most discards that are read and put back at once.
const PAGE: i64 = 1_000;

/// Counts the discarded values of one column by their end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// How many are in their rows now. In a dry run, how many fit their column.
    pub put_back: u64,
    /// How many were in the way of nothing any more: a later value of the same user replaced them, or their row is gone.
    pub obsolete: u64,
    /// How many stay discarded.
    pub kept: u64,
}

/// A discarded value.
struct Discarded {
    id: String,
    table: String,
    row_id: String,
    column: String,
    value: String,
    version: Option<String>,
    /// Whether no alteration of its column makes room for it.
    is_lasting: bool,
}

/// Puts the discarded values of a schema back that fit their columns now, or counts them in a dry run. Returns what
/// became of them, by the full names of their columns.
///
/// # Errors
/// Why the database cannot be reached, or refuses a statement. What was done until then stays.
pub async fn repair(
    database: &Database,
    schema: &str,
    is_dry: bool,
) -> Result<BTreeMap<String, Repaired>, Failure> {
    let session = Session::open(database).await?;
    let client = session.client();
    let known = answer(Schema::read(client, schema), None).await.map_err(|failed| failed.failure)?;
    if !known.tables.contains_key(DISCARDS) {
        return Err(Failure::new("no_discards", format!("the schema {schema} has no table {DISCARDS}")));
    }
    let mut repaired = BTreeMap::new();
    let mut last = String::new();
    loop {
        let page = page(client, schema, &last).await.map_err(|failed| failed.failure)?;
        let Some(newest) = page.last() else { return Ok(repaired) };
        last.clone_from(&newest.id);
        let mut by_column: BTreeMap<(String, String), Vec<Discarded>> = BTreeMap::new();
        for discarded in page {
            by_column.entry((discarded.table.clone(), discarded.column.clone())).or_default().push(discarded);
        }
        for ((table, column), discards) in by_column {
            let total = discards.len() as u64;
            let count: &mut Repaired = repaired.entry(format!("{table}.{column}")).or_default();
            let target = known.tables.get(&table).filter(|table| table.takes_rows && column != WHOLE_ROW);
            let target = target.and_then(|table| Some((table, table.columns.get(&column)?)));
            let Some((known_table, known_column)) = target.filter(|(_, column)| column.takes_values) else {
                count.kept += total;
                continue;
            };
            let fitting: Vec<(Discarded, String)> =
                discards.into_iter().filter_map(|one| fit(known_column, one)).collect();
            let (mut put_back, mut obsolete) = (fitting.len() as u64, 0);
            if !is_dry {
                let target =
                    Target { client, schema, table: &table, column: &column, known_table, known_column };
                (put_back, obsolete) = target.put_back(&fitting).await.map_err(|failed| failed.failure)?;
            }
            count.put_back += put_back;
            count.obsolete += obsolete;
            count.kept += total - put_back - obsolete;
        }
    }
}

/// Returns a discarded value with its text for a column, if the column takes it.
fn fit(column: &Column, discarded: Discarded) -> Option<(Discarded, String)> {
    let value: Value = serde_json::from_str(&discarded.value).ok()?;
    // A text with NUL is in its row already, without NUL.
    let has_nul = value.as_str().is_some_and(|text| text.contains('\0'));
    let text =
        column.column_type.fit(&value).ok().filter(|_| !has_nul && !discarded.is_lasting)?.into_owned();
    Some((discarded, text))
}

/// Returns the next discards after the one with this id.
async fn page(client: &Client, schema: &str, last: &str) -> Result<Vec<Discarded>, Failed> {
    let select = format!(
        "SELECT id::text, table_name, row_id, column_name, column_value, version, reason = ANY($3) FROM {} \
         WHERE id::text > $1 COLLATE \"C\" ORDER BY id::text COLLATE \"C\" LIMIT $2",
        sql::table(schema, DISCARDS)
    );
    // Other values belong into these columns, so no alteration makes room for them.
    let lasting = [Reason::StandardColumn, Reason::Collision, Reason::Nul, Reason::LongId]
        .map(|reason| reason.to_string());
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&last, Type::TEXT), (&PAGE, Type::INT8), (&&lasting[..], Type::TEXT_ARRAY)];
    let rows = answer(client.query_typed(&select, &parameters), None).await?;
    let discarded = |row: &tokio_postgres::Row| Discarded {
        id: row.get(0),
        table: row.get(1),
        row_id: row.get(2),
        column: row.get(3),
        value: row.get(4),
        version: row.get(5),
        is_lasting: row.get(6),
    };
    Ok(rows.iter().map(discarded).collect())
}

/// The column that values are put back into.
struct Target<'t> {
    client: &'t Client,
    schema: &'t str,
    table: &'t str,
    column: &'t str,
    known_table: &'t Table,
    known_column: &'t Column,
}

impl Target<'_> {
    /// Puts values back, those that PostgreSQL refuses left out. Returns how many are in their rows now, and how many are
    /// obsolete.
    async fn put_back(&self, values: &[(Discarded, String)]) -> Result<(u64, u64), Failed> {
        let mut parts = vec![values];
        let (mut put_back, mut obsolete) = (0, 0);
        while let Some(part) = parts.pop() {
            match self.put_back_together(part).await {
                Ok((put, old)) => (put_back, obsolete) = (put_back + put, obsolete + old),
                Err(failed) if matches!(failed.cause, Cause::Value | Cause::Constraint) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    // A single value stays discarded.
                    parts.extend(
                        [first, second].into_iter().filter(|half| !first.is_empty() && !half.is_empty()),
                    );
                }
                Err(failed) => return Err(failed),
            }
        }
        Ok((put_back, obsolete))
    }

    /// Puts values back and deletes their discards, in one statement.
    async fn put_back_together(&self, values: &[(Discarded, String)]) -> Result<(u64, u64), Failed> {
        let of = |part: fn(&(Discarded, String)) -> Option<&str>| values.iter().map(part).collect::<Vec<_>>();
        let parameters = [
            of(|(discarded, _)| Some(&discarded.id)),
            of(|(discarded, _)| Some(&discarded.row_id)),
            of(|(_, text)| Some(text)),
            of(|(discarded, _)| discarded.version.as_deref()),
        ];
        let parameters = sql::lists(&parameters);
        let (table, discards) = (sql::table(self.schema, self.table), sql::table(self.schema, DISCARDS));
        let (column, cast) = (quoted(self.column), &self.known_column.cast);
        let is_latest = self.known_table.columns.contains_key(VERSIONS);
        // A value of `users` is put back unless a later one is there, and then nobody needs it any more.
        let known = sql::known_version(&format!("'{}'", self.column));
        let (set, is_free, is_obsolete) = match is_latest {
            true => (
                format!(
                    "{column} = r.value::{cast}, {VERSIONS} = {} || jsonb_build_object('{}', r.version)",
                    sql::versions(),
                    self.column
                ),
                format!("r.version > {known}"),
                format!("r.version <= {known}"),
            ),
            false => {
                (format!("{column} = r.value::{cast}"), format!("t.{column} IS NULL"), "false".to_owned())
            }
        };
        let statement = format!(
            "WITH r AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS r(id, row_id, value, version)), \
             done AS (UPDATE {table} t SET {set} FROM r WHERE t.id = r.row_id AND {is_free} RETURNING r.id), \
             old AS (SELECT r.id FROM r LEFT JOIN {table} t ON t.id = r.row_id WHERE t.id IS NULL OR {is_obsolete}), \
             gone AS (DELETE FROM {discards} d WHERE d.id IN (SELECT id FROM done UNION SELECT id FROM old)) \
             SELECT (SELECT count(*) FROM done), (SELECT count(*) FROM old)"
        );
        let counts = answer(self.client.query_typed_one(&statement, &parameters), None).await?;
        let count = |at: usize| u64::try_from(counts.get::<_, i64>(at)).unwrap_or_default();
        Ok((count(0), count(1)))
    }
}
