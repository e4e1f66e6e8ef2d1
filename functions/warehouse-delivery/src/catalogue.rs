//! The tables that the database has. The catalogue is the truth about the types of columns: the user may alter them.

use std::collections::HashMap;

use tokio_postgres::{
    Client, Error,
    types::{ToSql, Type},
};

use crate::value::ColumnType;

/// The most tables of a schema. Names of events that hold ids would make a table for each.
const MAX_TABLES: usize = 1_000;

/// A schema of the database.
#[derive(Debug, Default)]
pub struct Schema {
    /// Whether it exists.
    pub exists: bool,
    /// Its tables, and everything else that has the name of one.
    pub tables: HashMap<String, Table>,
}

/// A table, or something else that has its name.
#[derive(Debug, Default, PartialEq)]
pub struct Table {
    /// Whether it takes rows. A view does not.
    pub takes_rows: bool,
    /// Its object id.
    pub oid: u32,
    /// Its columns, by name.
    pub columns: HashMap<String, Column>,
    /// The names and types of its columns as [`definitions`] returns them.
    pub definition: String,
    /// Whether PostgreSQL refused another column.
    pub is_full: bool,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Which values it takes.
    pub column_type: ColumnType,
    /// The type to cast a text to, in SQL. It has no length, because PostgreSQL cuts off what a cast to a type with a
    /// length does not hold.
    pub cast: String,
    /// Whether a value can be given. A generated column takes none.
    pub takes_values: bool,
}

/// All that could have the name of a table, and their columns.
const SCHEMA: &str = "
SELECT c.relname::text, c.relkind IN ('r', 'p', 'f'), a.attname::text, coalesce(b.typname, t.typname)::text,
  quote_ident(tn.nspname) || '.' || quote_ident(t.typname),
  CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END,
  coalesce(b.typnamespace, t.typnamespace) = 'pg_catalog'::regnamespace,
  a.attgenerated = '' AND a.attidentity <> 'a', a.attname || ' ' || a.atttypid || ' ' || a.atttypmod, c.oid
FROM pg_catalog.pg_namespace n
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND (cardinality($2) = 0 OR c.relname = ANY($2))
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
WHERE n.nspname = $1
ORDER BY c.oid, a.attnum";

/// The names and types of the columns of tables. It is asked for in each transaction, so it joins nothing.
const DEFINITIONS: &str = "
SELECT attrelid, string_agg(attname || ' ' || atttypid || ' ' || atttypmod || ',', '' ORDER BY attnum)
FROM pg_catalog.pg_attribute WHERE attrelid = ANY($1) AND attnum > 0 AND NOT attisdropped GROUP BY 1";

/// Returns the definitions of the tables with these object ids. One that was dropped has none.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn definitions(client: &Client, tables: &[u32]) -> Result<Vec<(u32, String)>, Error> {
    let rows = client.query_typed(DEFINITIONS, &[(&tables, Type::OID_ARRAY)]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

impl Schema {
    /// Whether it has room for the table of another event.
    pub fn has_room(&self) -> bool {
        self.tables.values().filter(|table| table.takes_rows).count() < MAX_TABLES
    }

    /// Reads a schema.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn read(client: &Client, name: &str) -> Result<Self, Error> {
        Self::read_tables(client, name, &[]).await
    }

    /// Reads these tables of a schema, or all if there are none.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn read_tables(client: &Client, name: &str, tables: &[&str]) -> Result<Self, Error> {
        let mut schema = Self::default();
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&name, Type::TEXT), (&tables, Type::TEXT_ARRAY)];
        for row in client.query_typed(SCHEMA, &parameters).await? {
            schema.exists = true;
            let Some(table) = row.get::<_, Option<String>>(0) else { continue };
            let table = schema.tables.entry(table).or_default();
            (table.takes_rows, table.oid) = (row.get(1), row.get(9));
            let Some(column) = row.get::<_, Option<String>>(2) else { continue };
            table.definition.push_str(row.get(8));
            table.definition.push(',');
            let is_builtin: bool = row.get(6);
            let type_name: String = row.get(3);
            let column_type =
                if is_builtin { ColumnType::read(&type_name, row.get(5)) } else { ColumnType::Other };
            table.columns.insert(column, Column { column_type, cast: row.get(4), takes_values: row.get(7) });
        }
        Ok(schema)
    }
}
