//! Creates the tables and columns that messages need.

use std::collections::VecDeque;

use super::{Failed, STATEMENT_TIME, Writer, answer, begin};
use crate::{
    catalogue::{Schema, Table},
    failure::Cause,
    layout::TableKind,
    prepare::{Missing, Pending, TableName, missing},
    sql,
};

/// The advisory lock of those who create tables.
const DDL_LOCK: &str = "tables";

impl Writer<'_> {
    /// Creates the tables and columns that these messages need. Returns the messages whose tables are there. The others
    /// have an outcome.
    pub(super) async fn create_missing<'m>(
        &mut self,
        group: Vec<Pending<'m>>,
    ) -> Result<Vec<Pending<'m>>, Failed> {
        let mut group = group;
        loop {
            let lacking = missing(&group, self.catalogue);
            let Some(schema) = lacking.keys().next().map(|(schema, _)| schema.clone()) else {
                return Ok(group);
            };
            let of_schema = lacking.into_iter().filter(|((of, _), _)| *of == schema);
            let (new, altered): (Vec<_>, Vec<_>) = of_schema.partition(|(_, missing)| missing.is_new);
            // Nobody holds a table that does not exist, so all new ones come in one transaction.
            let mut steps: Vec<Vec<(TableName, Missing)>> =
                altered.into_iter().map(|one| vec![one]).collect();
            if !new.is_empty() {
                steps.insert(0, new);
            }
            let mut queue: VecDeque<_> = steps.into();
            while let Some(mut step) = queue.pop_front() {
                let names: Vec<TableName> = step.iter().map(|(name, _)| name.clone()).collect();
                let Err(failed) = self.create(&schema, &step).await else { continue };
                match failed.cause {
                    Cause::Lost | Cause::Busy => return Err(failed),
                    // One of them fails. The others must not wait for it.
                    _ if step.len() > 1 => {
                        queue.extend(step.drain(..).map(|one| vec![one]));
                        continue;
                    }
                    // A table that was renamed keeps the name of its constraint.
                    _ if failed.is_taken && !step[0].1.is_name_taken => {
                        step[0].1.is_name_taken = true;
                        queue.push_front(step);
                        continue;
                    }
                    _ if failed.is_taken => {
                        // A sequence, an index or a type has the name.
                        let known = self.catalogue.entry(schema.clone()).or_default();
                        known.tables.insert(names[0].1.clone(), Table::default());
                        continue;
                    }
                    _ => {}
                }
                // Each message may need Segue's own tables.
                let is_own = step.iter().any(|(_, missing)| missing.kind.is_none());
                let lacks = |one: &Pending<'_>| {
                    names.iter().any(|name| one.is_in(name))
                        && missing(&[*one], self.catalogue).keys().any(|name| names.contains(name))
                };
                let is_concerned = |one: &Pending<'_>| one.schema == schema && (is_own || lacks(one));
                let (concerned, others) = group.into_iter().partition(is_concerned);
                group = others;
                let everywhere = Failed { table: None, ..failed };
                self.postpone(concerned, &everywhere);
            }
        }
    }

    /// Creates or alters tables of a schema in one transaction. Those that another process made in the meantime are left
    /// alone.
    pub(super) async fn create(
        &mut self,
        schema: &str,
        wanted: &[(TableName, Missing)],
    ) -> Result<(), Failed> {
        let result = self.create_in_transaction(schema, wanted).await;
        if result.is_err() {
            // A connection that is lost rolls back by itself.
            let _ = answer(self.client.batch_execute("ROLLBACK"), None).await;
        }
        result
    }

    async fn create_in_transaction(
        &mut self,
        name: &str,
        wanted: &[(TableName, Missing)],
    ) -> Result<(), Failed> {
        let role = self.database.role();
        let in_database = sql::grant_database(self.database.name(), role);
        let in_schema = sql::grant_schema(name, role);
        // The wait for the advisory lock is no wait for a table, so it has no short limit.
        let begin = format!(
            "{} SELECT pg_advisory_xact_lock({}); SET LOCAL lock_timeout = {};",
            begin(STATEMENT_TIME, STATEMENT_TIME),
            sql::lock_key(DDL_LOCK, name),
            self.lock_time.as_millis()
        );
        answer(self.client.batch_execute(&begin), None).await?;
        let mut schema = answer(Schema::read(self.client, name), None).await?;
        if !schema.exists {
            let create = format!("CREATE SCHEMA {}", sql::quoted(name));
            answer(self.client.batch_execute(&create), Some(&in_database)).await?;
            schema.exists = true;
        }
        let mut full = None;
        for ((_, table), missing) in wanted {
            let has_room = schema.has_room() || missing.kind != Some(TableKind::Event);
            match schema.tables.get(table) {
                None if !has_room => {}
                // Somebody made a view of this name in the meantime.
                Some(known) if !known.takes_rows => {}
                None => {
                    let create = sql::create_table(name, table, missing);
                    let created = answer(self.client.batch_execute(&create), Some(&in_schema)).await;
                    created.map_err(|failed| failed.at(name, table))?;
                    schema.tables.insert(table.clone(), Table::default());
                }
                Some(known) => {
                    let is_new = |(column, _): &&sql::NewColumn| !known.columns.contains_key(column);
                    let columns: Vec<_> = missing.columns.iter().filter(is_new).cloned().collect();
                    if columns.is_empty() {
                        continue;
                    }
                    let owner = sql::change_owner(name, table, role);
                    let alter = sql::add_columns(name, table, &columns);
                    match answer(self.client.batch_execute(&alter), Some(&owner)).await {
                        Ok(()) => {}
                        // Columns that were dropped count too: only PostgreSQL knows how many there are.
                        Err(failed) if failed.cause == Cause::Value => full = Some(table.clone()),
                        Err(failed) => return Err(failed.at(name, table)),
                    }
                }
            }
        }
        let end = if full.is_some() { "ROLLBACK" } else { "COMMIT" };
        answer(self.client.batch_execute(end), None).await?;
        let mut schema = answer(Schema::read(self.client, name), None).await?;
        if let Some(known) = full.and_then(|table| schema.tables.get_mut(&table)) {
            known.is_full = true;
        }
        self.catalogue.insert(name.to_owned(), schema);
        Ok(())
    }
}
