//! The statements.

use std::fmt::Write;

use tokio_postgres::types::{ToSql, Type};

use crate::{
    catalogue::Table,
    discard::DISCARDS,
    layout::{FIRST_COLUMNS, ID_TYPE, VERSIONS},
    name::MAX_BYTES,
    prepare::Missing,
    value::ColumnType,
};

/// The table of the users that were deleted.
pub const DELETED: &str = "segue_deleted";

/// The columns of the table of discards after the first ones.
pub const DISCARD_COLUMNS: [&str; 8] =
    ["table_name", "row_id", "column_name", "property", "column_value", "reason", "version", "user_id"];

/// A new column: its name and type.
pub type NewColumn = (String, ColumnType);

/// Returns a name in quotes. Most names need none, but the user chooses the schema.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the full name of a table.
pub fn table(schema: &str, table: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(table))
}

/// Returns the statement that lets a role create schemas in a database.
pub fn grant_database(database: &str, role: &str) -> String {
    format!("GRANT CREATE ON DATABASE {} TO {}", quoted(database), quoted(role))
}

/// Returns the statement that lets a role create tables in a schema.
pub fn grant_schema(schema: &str, role: &str) -> String {
    format!("GRANT USAGE, CREATE ON SCHEMA {} TO {}", quoted(schema), quoted(role))
}

/// Returns the statement that lets a role write to the tables of a schema.
pub fn grant_tables(schema: &str, role: &str) -> String {
    let (schema, role) = (quoted(schema), quoted(role));
    format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}")
}

/// Returns the statement that lets a role add columns to a table.
pub fn change_owner(schema: &str, name: &str, role: &str) -> String {
    format!("ALTER TABLE {} OWNER TO {}", table(schema, name), quoted(role))
}

/// Returns lists of texts as parameters of a statement.
pub fn lists<T: ToSql + Sync>(lists: &[T]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    lists.iter().map(|list| (list as &(dyn ToSql + Sync), Type::TEXT_ARRAY)).collect()
}

/// Returns the statement that creates a table with its standard columns and then these.
pub fn create_table(schema: &str, name: &str, missing: &Missing) -> String {
    let standard: Vec<NewColumn> = match (missing.kind, name) {
        (Some(kind), _) => kind.columns().map(|(name, column)| (name.to_owned(), column)).collect(),
        (None, DISCARDS) => {
            DISCARD_COLUMNS.iter().map(|name| ((*name).to_owned(), ColumnType::Text)).collect()
        }
        (None, _) => Vec::new(),
    };
    let mut sql = format!("CREATE TABLE {} (id {ID_TYPE} NOT NULL", table(schema, name));
    let first = FIRST_COLUMNS[1..].iter().map(|(name, column)| ((*name).to_owned(), *column));
    let added =
        missing.columns.iter().filter(|(name, _)| !standard.iter().any(|(standard, _)| standard == name));
    for (column, column_type) in first.chain(standard.iter().cloned()).chain(added.cloned()) {
        let _ = write!(sql, ", {} {}", quoted(&column), column_type.sql());
    }
    // Segment's name for the constraint. PostgreSQL would cut off a longer one, and could then know it already. It finds
    // a free one if it gets none.
    let constraint = format!("{name}_pkey");
    if constraint.len() <= MAX_BYTES && !missing.is_name_taken {
        let _ = write!(sql, ", CONSTRAINT {}", quoted(&constraint));
    } else {
        sql.push(',');
    }
    sql.push_str(" PRIMARY KEY (id));");
    sql
}

/// Returns the statement that adds columns to a table.
pub fn add_columns(schema: &str, name: &str, columns: &[NewColumn]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, column_type)| format!("ADD COLUMN {} {}", quoted(name), column_type.sql()))
        .collect();
    format!("ALTER TABLE {} {};", table(schema, name), columns.join(", "))
}

/// Returns the statement that inserts rows into a table. Each column is one parameter, an array of texts. `uuid_ts`
/// becomes the time of the transaction.
///
/// A row whose id exists stays as it is, unless its table has the latest values. Then each value is replaced by one with
/// a greater version. The greatest version wins in whatever order the messages arrive, and how often. Rows that Segment
/// wrote have no versions: their values count as those of their `received_at`.
pub fn insert(schema: &str, name: &str, known: &Table, columns: &[&str], is_latest: bool) -> String {
    let (mut targets, mut values, mut names, mut parameters) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, column) in columns.iter().enumerate() {
        let cast = known.columns.get(*column).map_or("pg_catalog.text", |column| &column.cast);
        targets.push(quoted(column));
        values.push(format!("r.c{index}::{cast}"));
        names.push(format!("c{index}"));
        parameters.push(format!("${}::text[]", index + 1));
    }
    if known.columns.contains_key("uuid_ts") {
        targets.push("uuid_ts".to_owned());
        values.push("now()".to_owned());
    }
    let action = if is_latest { update_latest(columns) } else { "DO NOTHING".to_owned() };
    format!(
        "INSERT INTO {} AS t ({}) SELECT {} FROM unnest({}) AS r({}) ON CONFLICT (id) {action}",
        table(schema, name),
        targets.join(", "),
        values.join(", "),
        parameters.join(", "),
        names.join(", "),
    )
}

/// The version of the values of a row that Segment wrote.
const WRITTEN_BY_SEGMENT: &str =
    r#"to_char(t.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#;

/// Returns the version of a column's value in the row `t`. `column` is an expression. A value without a version has that
/// of the whole row, which Segment wrote.
pub fn known_version(column: &str) -> String {
    format!(
        "coalesce(t.{VERSIONS}->>{column}, t.{VERSIONS}->>'', CASE WHEN t.{VERSIONS} IS NULL THEN {WRITTEN_BY_SEGMENT} END, '') COLLATE \"C\""
    )
}

/// Returns the versions of the row `t`. A row that Segment wrote gets one for all of its values.
pub fn versions() -> String {
    format!("coalesce(t.{VERSIONS}, jsonb_build_object('', {WRITTEN_BY_SEGMENT}))")
}

fn update_latest(columns: &[&str]) -> String {
    let mut sets = vec![
        "received_at = greatest(t.received_at, excluded.received_at)".to_owned(),
        "uuid_ts = excluded.uuid_ts".to_owned(),
        format!(
            "{VERSIONS} = {} || coalesce((SELECT jsonb_object_agg(v.key, v.value) FROM jsonb_each_text(excluded.{VERSIONS}) v WHERE v.value > {}), '{{}}')",
            versions(),
            known_version("v.key"),
        ),
    ];
    let is_value = |column: &&&str| !["id", "received_at", "uuid_ts", VERSIONS].contains(*column);
    for column in columns.iter().filter(is_value) {
        let (name, key) = (quoted(column), format!("'{column}'"));
        sets.push(format!(
            "{name} = CASE WHEN excluded.{VERSIONS}->>{key} > {} THEN excluded.{name} ELSE t.{name} END",
            known_version(&key),
        ));
    }
    format!("DO UPDATE SET {}", sets.join(", "))
}

/// Returns the statement that stores discards. A row of `users` keeps the latest discarded value of each property.
/// It returns the ids of those that are new.
pub fn insert_discards(schema: &str) -> String {
    format!(
        "INSERT INTO {} AS t (id, received_at, uuid_ts, {}) SELECT r.c0, r.c1::timestamptz, now(), {} \
         FROM unnest($1::text[], $2::text[], {}) AS r(c0, c1, {}) ON CONFLICT (id) DO UPDATE SET \
         received_at = excluded.received_at, uuid_ts = excluded.uuid_ts, column_value = excluded.column_value, \
         column_name = excluded.column_name, reason = excluded.reason, version = excluded.version \
         WHERE excluded.version > t.version COLLATE \"C\" RETURNING id",
        table(schema, DISCARDS),
        DISCARD_COLUMNS.join(", "),
        numbered(|at| format!("r.c{}", at + 2)),
        numbered(|at| format!("${}::text[]", at + 3)),
        numbered(|at| format!("c{}", at + 2)),
    )
}

fn numbered(text: impl Fn(usize) -> String) -> String {
    (0..DISCARD_COLUMNS.len()).map(text).collect::<Vec<_>>().join(", ")
}

/// Returns the query for users that were deleted, and when, in milliseconds since 1970.
pub fn deleted(schema: &str) -> String {
    format!(
        "SELECT id::text, (extract(epoch FROM received_at) * 1000)::bigint FROM {} WHERE id = ANY($1)",
        table(schema, DELETED)
    )
}

/// Returns a key for an advisory lock. The locks of all programs of a database share the keys.
pub fn lock_key(purpose: &str, schema: &str) -> i64 {
    let digest = crate::digest::hex_digest(&format!("segue {purpose} {schema}"));
    u64::from_str_radix(&digest[..16], 16).unwrap_or_default().cast_signed()
}
