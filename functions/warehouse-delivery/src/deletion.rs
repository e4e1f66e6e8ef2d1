//! Deletes the rows of a user, and remembers the deletion: a message that was received before it must not bring the user
//! back.

use std::time::Duration;

use segment::timestamp;
use tokio_postgres::{Client, types::Type};

use crate::{
    catalogue::{Schema, Table},
    failure::Cause,
    layout::VERSIONS,
    record::Record,
    sql::{self, DELETED, quoted},
    value::{ColumnType, without_nul},
    writer::{Failed, ROWS_LOCK, answer, begin},
};

/// The longest wait for a table that somebody holds.
const LOCK_TIME: Duration = Duration::from_secs(1);

/// The longest time of one statement. It reads a whole table, because Segment's tables have no index on the user.
const STATEMENT_TIME: Duration = Duration::from_secs(35);

/// A deletion of a user from a schema.
struct Deletion<'d> {
    client: &'d Client,
    schema: &'d str,
    /// The user id as the tables have it.
    user_id: String,
    /// When the deletion was received. Rows that came later stay: the user may be back.
    at: String,
    /// The privileges that it needs.
    cure: String,
}

/// Deletes a user's rows from every table of a schema, one table in a transaction. It can be repeated.
///
/// # Errors
/// The failure of a statement.
pub async fn delete(
    client: &Client,
    role: &str,
    name: &str,
    schema: &Schema,
    user_id: &str,
    record: &Record,
) -> Result<(), Failed> {
    if !schema.exists {
        return Ok(());
    }
    let cure = sql::grant_tables(name, role);
    let (user_id, at) = (without_nul(user_id).into_owned(), timestamp::format(record.received_at));
    let deletion = Deletion { client, schema: name, user_id, at, cure };
    if schema.tables.contains_key(DELETED) {
        let user = record.user.clone().unwrap_or_default();
        deletion.remember(&user).await?;
    }
    let mut tables: Vec<_> = schema.tables.iter().filter(|(_, table)| is_of_messages(table)).collect();
    tables.sort_by_key(|(name, _)| *name);
    // A table that refuses keeps no other table from being cleaned.
    let mut failed = None;
    for (name, table) in tables {
        let deleted = match &**name {
            "users" => deletion.delete_user(name, table).await,
            "accounts" => deletion.forget_in_accounts(name, table).await,
            // The discards have a user too.
            _ if table.columns.contains_key("user_id") => deletion.delete_calls(name, table).await,
            _ => Ok(()),
        };
        match deleted {
            Err(error) if matches!(error.cause, Cause::Lost | Cause::Busy) => return Err(error),
            Err(error) => failed = failed.or(Some(error.at(deletion.schema, name))),
            Ok(()) => {}
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Returns the statements that begin the deletion from one table. A policy that hides rows becomes an error: they would
/// stay.
fn begin_deletion() -> String {
    format!("{} SET LOCAL row_security = off;", begin(LOCK_TIME, STATEMENT_TIME))
}

/// Whether a table has the columns of those that hold messages. The user may have other tables in the schema.
fn is_of_messages(table: &Table) -> bool {
    table.takes_rows && ["id", "received_at", "uuid_ts"].iter().all(|name| table.columns.contains_key(*name))
}

impl Deletion<'_> {
    /// Writes the deletion down, when all transactions that do not know of it have ended.
    async fn remember(&self, user: &str) -> Result<(), Failed> {
        let table = sql::table(self.schema, DELETED);
        let insert = format!(
            "INSERT INTO {table} AS t (id, received_at, uuid_ts) VALUES ($1, $2::text::timestamptz, now()) \
             ON CONFLICT (id) DO UPDATE SET received_at = greatest(t.received_at, excluded.received_at)"
        );
        let lock = sql::lock_key(ROWS_LOCK, self.schema);
        let begin =
            format!("{} SELECT pg_advisory_xact_lock({lock});", begin(STATEMENT_TIME, STATEMENT_TIME));
        self.transaction(&begin, &insert, &[user, &self.at]).await
    }

    /// Deletes the rows of calls, and what was discarded from them.
    async fn delete_calls(&self, name: &str, table: &Table) -> Result<(), Failed> {
        let mut condition = self.is_user(table, "user_id");
        if name == "aliases" && table.columns.contains_key("previous_id") {
            condition = format!("({condition} OR {})", self.is_user(table, "previous_id"));
        }
        let condition = format!("{condition} AND {}", self.is_earlier());
        self.delete(name, &condition).await
    }

    /// Deletes the row of the user. If the user is back, only the values from before go.
    async fn delete_user(&self, name: &str, table: &Table) -> Result<(), Failed> {
        self.delete(name, &format!("{} AND {}", self.is_user(table, "id"), self.is_earlier())).await?;
        if !table.columns.contains_key(VERSIONS) {
            return Ok(());
        }
        let kept = ["id", "received_at", "uuid_ts", VERSIONS];
        let mut columns: Vec<_> = table
            .columns
            .iter()
            .filter(|(name, column)| column.takes_values && !kept.contains(&&***name))
            .map(|(name, _)| name)
            .collect();
        columns.sort();
        let version =
            |column: &str| format!("coalesce({VERSIONS}->>'{column}', {VERSIONS}->>'', '') COLLATE \"C\"");
        let is_ours = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let sets = columns.into_iter().filter(is_ours).map(|column| {
            let (name, version) = (quoted(column), version(column));
            format!("{name} = CASE WHEN {version} > $2 THEN {name} END, ")
        });
        let update = format!(
            "UPDATE {} SET {}{VERSIONS} = (SELECT coalesce(jsonb_object_agg(v.key, v.value), '{{}}') FROM jsonb_each_text({VERSIONS}) v \
             WHERE v.value > $2 COLLATE \"C\") WHERE {} AND {VERSIONS} IS NOT NULL",
            sql::table(self.schema, name),
            sets.collect::<String>(),
            self.is_user(table, "id"),
        );
        self.transaction(&begin_deletion(), &update, &[&self.user_id, &self.end()]).await
    }

    /// Takes the user out of the rows of groups.
    async fn forget_in_accounts(&self, name: &str, table: &Table) -> Result<(), Failed> {
        if !table.columns.contains_key("user_id") {
            return Ok(());
        }
        let is_earlier = match table.columns.contains_key(VERSIONS) {
            true => format!("coalesce({VERSIONS}->>'user_id', '') COLLATE \"C\" <= $2"),
            false => "$2::text IS NOT NULL".to_owned(),
        };
        let update = format!(
            "UPDATE {} SET user_id = NULL WHERE {} AND {is_earlier}",
            sql::table(self.schema, name),
            self.is_user(table, "user_id"),
        );
        self.transaction(&begin_deletion(), &update, &[&self.user_id, &self.end()]).await
    }

    async fn delete(&self, name: &str, condition: &str) -> Result<(), Failed> {
        let delete = format!("DELETE FROM {} WHERE {condition}", sql::table(self.schema, name));
        self.transaction(&begin_deletion(), &delete, &[&self.user_id, &self.at]).await
    }

    /// The condition for the rows of the user.
    fn is_user(&self, table: &Table, column: &str) -> String {
        // A cast on every row costs time, so there is none where the column is a text.
        let is_text = table.columns.get(column).is_some_and(|column| column.column_type == ColumnType::Text);
        format!("{column}{} = $1", if is_text { "" } else { "::text" })
    }

    /// The condition for rows that were received before the deletion.
    fn is_earlier(&self) -> &'static str {
        "(received_at IS NULL OR received_at <= $2::text::timestamptz)"
    }

    /// The greatest version of a value from before the deletion.
    fn end(&self) -> String {
        format!("{} ~", self.at)
    }

    async fn transaction(&self, begin: &str, statement: &str, parameters: &[&str]) -> Result<(), Failed> {
        let parameters: Vec<_> = parameters
            .iter()
            .map(|text| (text as &(dyn tokio_postgres::types::ToSql + Sync), Type::TEXT))
            .collect();
        let cure = Some(&*self.cure);
        answer(self.client.batch_execute(begin), cure).await?;
        let result = answer(self.client.execute_typed(statement, &parameters), cure).await;
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = answer(self.client.batch_execute(end), cure).await;
        result?;
        ended
    }
}
