//! Finds what a database lacks, for `segue doctor`. It changes nothing.

use delivery::Failure;
use tokio_postgres::types::Type;

use crate::{database::Database, discard::DISCARDS, failure::failure, session::Session, sql};

/// The oldest version of PostgreSQL that Segue writes to, as PostgreSQL numbers it.
pub const OLDEST_VERSION: i32 = 120_000;

/// A database as Segue sees it.
#[derive(Debug)]
pub struct Examination {
    /// The version, such as `15.4`.
    pub version: String,
    /// Whether Segue can write to this version.
    pub is_recent: bool,
    /// Whether the server takes changes.
    pub takes_changes: bool,
    /// The missing privileges, each with the statement that gives it.
    pub missing: Vec<(String, String)>,
    /// The columns with the most discarded values, at most ten.
    pub discards: Vec<Discarded>,
}

/// A column with discarded values.
#[derive(Debug)]
pub struct Discarded {
    /// The full name of the column.
    pub column: String,
    /// Why its values were discarded.
    pub reason: String,
    /// How many there are.
    pub count: i64,
}

/// The version, and whether the server takes changes.
const SERVER: &str = "SELECT current_setting('server_version'), current_setting('server_version_num')::int4, \
                      NOT pg_is_in_recovery() AND current_setting('default_transaction_read_only') = 'off'";

/// Whether the schema exists, and what the role may do with it, and in the database.
const SCHEMA: &str = "SELECT n.oid IS NOT NULL, has_database_privilege(current_database(), 'CREATE'), \
                      coalesce(has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE'), false) \
                      FROM (SELECT 1) one LEFT JOIN pg_namespace n ON n.nspname = $1";

/// The tables of the schema that Segue cannot write to, and those that it cannot add columns to.
const TABLES: &str = "SELECT c.relname::text, has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT') \
                      AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'), \
                      pg_has_role(c.relowner, 'USAGE') \
                      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
                      WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.attname = 'uuid_ts' AND NOT a.attisdropped \
                      ORDER BY 1";

impl Examination {
    /// Connects and looks at the schema with this name.
    ///
    /// # Errors
    /// Why the database cannot be reached, or refuses the role.
    pub async fn of(database: &Database, schema: &str) -> Result<Self, Failure> {
        let session = Session::open(database).await?;
        Self::on(&session, database, schema).await.map_err(|error| failure(&error, None))
    }

    async fn on(session: &Session, database: &Database, schema: &str) -> Result<Self, tokio_postgres::Error> {
        let client = session.client();
        let server = client.query_typed_one(SERVER, &[]).await?;
        let number: i32 = server.get(1);
        let known = client.query_typed_one(SCHEMA, &[(&schema, Type::TEXT)]).await?;
        let (exists, in_database, in_schema): (bool, bool, bool) = (known.get(0), known.get(1), known.get(2));
        let role = database.role();
        let mut missing = Vec::new();
        if !exists && !in_database {
            let cure = sql::grant_database(database.name(), role);
            missing.push((format!("create the schema {schema}"), cure));
        }
        if exists && !in_schema {
            let cure = sql::grant_schema(schema, role);
            missing.push((format!("create tables in the schema {schema}"), cure));
        }
        let tables = client.query_typed(TABLES, &[(&schema, Type::TEXT)]).await?;
        if tables.iter().any(|table| !table.get::<_, bool>(1)) {
            let cure = sql::grant_tables(schema, role);
            missing.push((format!("write to all tables of the schema {schema}"), cure));
        }
        for table in tables.iter().filter(|table| !table.get::<_, bool>(2)) {
            let name: String = table.get(0);
            let cure = sql::change_owner(schema, &name, role);
            missing.push((format!("add columns to {schema}.{name}"), cure));
        }
        let has_discards = tables.iter().any(|table| table.get::<_, &str>(0) == DISCARDS && table.get(1));
        let discards = if has_discards { discards(session, schema).await? } else { Vec::new() };
        Ok(Self {
            version: server.get(0),
            is_recent: number >= OLDEST_VERSION,
            takes_changes: server.get(2),
            missing,
            discards,
        })
    }
}

async fn discards(session: &Session, schema: &str) -> Result<Vec<Discarded>, tokio_postgres::Error> {
    let select = format!(
        "SELECT table_name || '.' || column_name, reason, count(*) FROM {} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 10",
        sql::table(schema, DISCARDS)
    );
    let rows = session.client().query_typed(&select, &[]).await?;
    let discarded =
        |row: &tokio_postgres::Row| Discarded { column: row.get(0), reason: row.get(1), count: row.get(2) };
    Ok(rows.iter().map(discarded).collect())
}
