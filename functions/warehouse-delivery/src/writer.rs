//! Writes messages into the database: the missing tables first, then all rows in one transaction. What PostgreSQL refuses
//! is narrowed down to its message, and a value to its column, so that everything else is written.

mod copy;
mod reduce;
mod slow;
mod tables;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
    future::Future,
    pin::Pin,
    time::Duration,
};

use delivery::{Failure, Outcome};
use futures_util::future::join_all;
use jiff::Timestamp;
use segment::timestamp;
use tokio::time::timeout;
use tokio_postgres::{
    Client, Error,
    types::{ToSql, Type},
};

pub use self::slow::SlowTables;
use crate::{
    catalogue::{Schema, definitions},
    database::Database,
    deletion,
    discard::{DISCARDS, Discard},
    failure::{Cause, cause, failure},
    prepare::{Catalogue, Missing, Pending, Refused, TableName, Texts, prepare},
    record::Change,
    sql,
    value::without_nul,
};

/// The longest wait for a table that somebody holds. While a statement waits, all that come after it wait too.
const LOCK_TIME: Duration = Duration::from_millis(500);

/// The same for a new column of a message that waited before. A vacuum that PostgreSQL started by itself gives way after a
/// second.
const PATIENT_LOCK_TIME: Duration = Duration::from_millis(1_500);

/// The longest time of one statement.
const STATEMENT_TIME: Duration = Duration::from_secs(15);

/// The longest wait for an answer. A connection that is silent for longer is given up.
const ANSWER_TIME: Duration = Duration::from_secs(40);

/// How often a transaction that met another one is repeated at once.
const CONFLICTS: u32 = 5;

/// How often a message is tried that a rule in the user's database refuses.
const CONSTRAINT_ATTEMPTS: u32 = 3;

/// The advisory lock of those who write rows, which they share, and of those who delete a user.
pub const ROWS_LOCK: &str = "rows";

/// A statement that failed.
pub struct Failed {
    /// What follows.
    pub cause: Cause,
    /// The failure for its messages.
    pub failure: Failure,
    /// The table that it was about.
    table: Option<TableName>,
    /// Whether the name of a new table belongs to something else.
    is_taken: bool,
    /// PostgreSQL's message. It may quote a value.
    message: String,
}

/// What a transaction wrote.
#[derive(Debug, Default)]
pub struct Written {
    /// The number of new discards by reason.
    pub discards: BTreeMap<&'static str, usize>,
    /// What was done with each message, by its index, if it is wanted.
    pub notes: Vec<(usize, String)>,
}

/// Writes the messages of one attempt.
pub struct Writer<'w> {
    client: &'w Client,
    database: &'w Database,
    catalogue: &'w mut Catalogue,
    slow_tables: &'w mut SlowTables,
    outcomes: &'w mut [Option<Outcome>],
    has_notes: bool,
    /// Whether rows are copied into their tables, which hold none of them as far as known.
    copies: bool,
    /// How long a new column waits for its table.
    lock_time: Duration,
    now: Timestamp,
    written: Written,
}

impl Failed {
    /// Returns the failure of a statement. `cure` gives the privilege that it may lack.
    pub fn of(error: &Error, cure: Option<&str>) -> Self {
        let message = error.as_db_error().map(|error| format!("{} {}", error.code().code(), error.message()));
        let is_taken = error.code().is_some_and(|state| ["42P07", "42710"].contains(&state.code()));
        Self {
            is_taken,
            cause: cause(error),
            failure: failure(error, cure),
            table: None,
            message: message.unwrap_or_default(),
        }
    }

    /// Returns a failure to connect.
    pub fn without_connection(failure: Failure) -> Self {
        Self { cause: Cause::Lost, failure, table: None, is_taken: false, message: String::new() }
    }

    /// Returns the failure when a table is not as it was known.
    fn changed() -> Self {
        let failure = Failure::new("changed", "somebody altered the table in the meantime");
        Self { cause: Cause::Stale, failure, table: None, is_taken: false, message: String::new() }
    }

    /// Returns the failure of a connection without an answer.
    fn silent() -> Self {
        let failure = Failure::new("timeout", format!("PostgreSQL did not answer in {ANSWER_TIME:?}"));
        Self { cause: Cause::Lost, failure, table: None, is_taken: false, message: String::new() }
    }

    /// Names the table that it was about.
    pub fn at(mut self, schema: &str, table: &str) -> Self {
        let name = format!("{schema}.{table}");
        if !self.failure.reason.contains(table) {
            self.failure.reason = format!("{name}: {}", self.failure.reason);
        }
        Self { table: Some((schema.to_owned(), table.to_owned())), ..self }
    }
}

/// Waits for PostgreSQL's answer, within [`ANSWER_TIME`].
pub async fn answer<T>(
    answer: impl Future<Output = Result<T, Error>>,
    cure: Option<&str>,
) -> Result<T, Failed> {
    match timeout(ANSWER_TIME, answer).await {
        Ok(answer) => answer.map_err(|error| Failed::of(&error, cure)),
        Err(_) => Err(Failed::silent()),
    }
}

/// Returns the statements that begin a transaction.
pub fn begin(lock_time: Duration, statement_time: Duration) -> String {
    format!(
        "BEGIN; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {};",
        lock_time.as_millis(),
        statement_time.as_millis()
    )
}

impl<'w> Writer<'w> {
    /// Returns a writer that puts the outcomes of messages in the places of their indexes.
    pub fn new(
        client: &'w Client,
        database: &'w Database,
        catalogue: &'w mut Catalogue,
        slow_tables: &'w mut SlowTables,
        outcomes: &'w mut [Option<Outcome>],
        now: Timestamp,
    ) -> Self {
        let (lock_time, written) = (LOCK_TIME, Written::default());
        let (has_notes, copies) = (false, false);
        Self {
            client,
            database,
            catalogue,
            slow_tables,
            outcomes,
            has_notes,
            copies,
            lock_time,
            now,
            written,
        }
    }

    /// Makes it say what it did with each message.
    #[must_use]
    pub fn with_notes(self, has_notes: bool) -> Self {
        Self { has_notes, ..self }
    }

    /// Makes it try `COPY` first.
    #[must_use]
    pub fn with_copy(self, copies: bool) -> Self {
        Self { copies, ..self }
    }

    /// Writes messages, and deletes users. Every message gets an outcome, unless the database fails as a whole.
    ///
    /// # Errors
    /// The failure of the database. Messages that have no outcome were not written.
    pub async fn write(mut self, pending: Vec<Pending<'_>>) -> Result<Written, Failed> {
        let pending = self.slow_tables.without_held(pending, self.now, |one, wait| {
            self.outcomes[one.index] = Some(Outcome::Held(wait));
        });
        if pending.iter().any(|one| one.attempts > 0) {
            self.lock_time = PATIENT_LOCK_TIME;
        }
        let (deletions, rows): (Vec<_>, Vec<_>) = pending.into_iter().partition(|one| one.rows().is_none());
        for one in rows.iter().chain(&deletions) {
            if !self.catalogue.contains_key(one.schema) {
                self.read(one.schema).await?;
            }
        }
        self.write_rows(rows).await?;
        for one in deletions {
            self.delete(one).await?;
        }
        Ok(self.written)
    }

    /// Reads a schema from the database.
    async fn read(&mut self, schema: &str) -> Result<(), Failed> {
        let read = answer(Schema::read(self.client, schema), None).await?;
        self.catalogue.insert(schema.to_owned(), read);
        Ok(())
    }

    /// Writes groups of messages until each one has an outcome. A group that fails is split.
    async fn write_rows(&mut self, rows: Vec<Pending<'_>>) -> Result<(), Failed> {
        let mut groups = vec![rows];
        let (mut conflicts, mut is_fresh) = (0, false);
        while let Some(group) = groups.pop() {
            let group = self.create_missing(group).await?;
            if group.is_empty() {
                continue;
            }
            let failed = match self.transaction(&group, &Refused::new(), true).await {
                Ok(()) => {
                    self.slow_tables.written(&group);
                    continue;
                }
                Err(failed) => failed,
            };
            match failed.cause {
                Cause::Lost | Cause::Busy => return Err(failed),
                // A row is there already, or is refused. Only single statements tell which.
                _ if self.copies && failed.cause != Cause::Slow => {
                    self.copies = false;
                    groups.push(group);
                }
                Cause::Conflict if conflicts < CONFLICTS => {
                    conflicts += 1;
                    groups.push(group);
                }
                Cause::Stale if !is_fresh => {
                    is_fresh = true;
                    let schemas: HashSet<&str> = group.iter().map(|one| one.schema).collect();
                    for schema in schemas {
                        self.read(schema).await?;
                    }
                    groups.push(group);
                }
                Cause::Slow if failed.table.is_none() => return Err(failed),
                Cause::Locked | Cause::Slow | Cause::Denied | Cause::Conflict | Cause::Stale => {
                    groups.push(self.postpone(group, &failed));
                }
                Cause::Value | Cause::Constraint => match group.as_slice() {
                    [one] => match self.reduce(*one, failed).await {
                        Ok(()) => {}
                        Err(failed) if matches!(failed.cause, Cause::Lost | Cause::Busy) => {
                            return Err(failed);
                        }
                        Err(failed) => drop(self.postpone(group, &failed)),
                    },
                    _ => groups.extend(split(group, failed.table.as_ref())),
                },
            }
        }
        Ok(())
    }

    /// Retries the messages of a table later, or all if the failure names none. Returns the others.
    fn postpone<'m>(&mut self, group: Vec<Pending<'m>>, failed: &Failed) -> Vec<Pending<'m>> {
        if let (Cause::Slow, Some(table)) = (failed.cause, &failed.table) {
            self.slow_tables.add(table, &group, self.now);
        }
        let (mut postponed, mut others): (Vec<_>, Vec<_>) = match &failed.table {
            None => (group, Vec::new()),
            Some((schema, table)) if table == DISCARDS => {
                let prepared = prepare(&group, self.catalogue, &Refused::new());
                group.into_iter().partition(|one| one.schema == schema && prepared.has_discards(one))
            }
            Some(table) => group.into_iter().partition(|one| one.is_in(table)),
        };
        if postponed.is_empty() {
            // The table is one of Segue's own.
            std::mem::swap(&mut postponed, &mut others);
        }
        for one in postponed {
            self.outcomes[one.index] = Some(Outcome::retry(failed.failure.clone()));
        }
        others
    }

    /// Writes messages in one transaction. Those of users that were deleted since are left out. Without `commit` it only
    /// tries whether PostgreSQL takes them.
    async fn transaction(
        &mut self,
        group: &[Pending<'_>],
        refused: &Refused,
        commit: bool,
    ) -> Result<(), Failed> {
        let mut group = group.to_vec();
        loop {
            let result = match self.insert(&group, refused).await {
                Ok(Inserted { deleted, .. }) if !deleted.is_empty() => {
                    answer(self.client.batch_execute("ROLLBACK"), None).await?;
                    for index in &deleted {
                        self.outcomes[*index] = Some(Outcome::Ignored("deleted"));
                    }
                    group.retain(|one| !deleted.contains(&one.index));
                    if group.is_empty() {
                        return Ok(());
                    }
                    continue;
                }
                Ok(inserted) if commit => {
                    answer(self.client.batch_execute("COMMIT"), None).await.map(|()| inserted)
                }
                Ok(_) => return answer(self.client.batch_execute("ROLLBACK"), None).await,
                Err(failed) => Err(failed),
            };
            let inserted = match result {
                Ok(inserted) => inserted,
                Err(failed) => {
                    if failed.cause != Cause::Lost {
                        answer(self.client.batch_execute("ROLLBACK"), None).await?;
                    }
                    return Err(failed);
                }
            };
            for one in &group {
                self.outcomes[one.index] = Some(Outcome::Delivered);
            }
            for (reason, count) in inserted.written.discards {
                *self.written.discards.entry(reason).or_default() += count;
            }
            self.written.notes.extend(inserted.written.notes);
            return Ok(());
        }
    }

    /// Reads these tables again. Returns whether any is not as it was known.
    async fn learn(&mut self, tables: &BTreeSet<(&str, &str)>) -> Result<bool, Failed> {
        let mut by_schema: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        tables.iter().for_each(|(schema, table)| by_schema.entry(schema).or_default().push(table));
        let mut is_new = false;
        for (name, tables) in by_schema {
            let read = answer(Schema::read_tables(self.client, name, &tables), None).await?;
            let Some(known) = self.catalogue.get_mut(name) else { continue };
            for (table, mut columns) in read.tables {
                let known = known.tables.entry(table).or_default();
                columns.is_full = known.is_full;
                is_new |= *known != columns;
                *known = columns;
            }
        }
        Ok(is_new)
    }

    /// Sends all statements of a transaction but its end, all at once unless they copy, and waits for their answers.
    async fn insert(&mut self, group: &[Pending<'_>], refused: &Refused) -> Result<Inserted, Failed> {
        let mut prepared = prepare(group, self.catalogue, refused);
        // The user may just have altered a column so that it takes the value.
        if self.learn(&prepared.refusing).await? {
            prepared = prepare(group, self.catalogue, refused);
        }
        let client = self.client;
        let role = self.database.role();
        let known = |(schema, table): &(&str, &str)| self.catalogue.get(*schema)?.tables.get(*table);
        let oids: Vec<u32> = prepared.inserts.keys().filter_map(known).map(|table| table.oid).collect();
        let copyable = match self.copies {
            true => answer(copy::taking_copies(client, &oids), None).await?,
            false => Vec::new(),
        };

        let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for one in group {
            users.entry(one.schema).or_default().extend(one.record.user.as_deref());
        }
        let mut statements: Vec<Statement<'_>> = Vec::new();
        let cure = |schema: &str| {
            format!("{}; {}", sql::grant_schema(schema, role), sql::grant_tables(schema, role))
        };
        let mut sql = begin(LOCK_TIME, STATEMENT_TIME);
        for schema in users.keys() {
            // An exclusive lock of a deletion is short, but it waits for those who write now.
            sql += &format!(" SELECT pg_advisory_xact_lock_shared({});", sql::lock_key(ROWS_LOCK, schema));
        }
        statements.push(Box::pin(async move {
            answer(client.batch_execute(&sql), None).await.map(|()| Reply::Done)
        }));
        for (schema, users) in &users {
            let cure = cure(schema);
            statements.push(Box::pin(async move {
                let (sql, parameters) =
                    (sql::deleted(schema), [(users as &(dyn ToSql + Sync), Type::TEXT_ARRAY)]);
                let rows = answer(client.query_typed(&sql, &parameters), Some(&cure)).await?;
                let deleted = rows.iter().map(|row| ((*schema).to_owned(), row.get(0), row.get(1)));
                Ok(Reply::Deleted(deleted.collect()))
            }));
        }
        for ((schema, table), insert) in &prepared.inserts {
            let cure = cure(schema);
            let Some(known) = self.catalogue.get(*schema).and_then(|schema| schema.tables.get(*table)) else {
                continue;
            };
            let (columns, values) = insert.parameters();
            if copyable.contains(&known.oid) {
                statements.push(Box::pin(async move {
                    let written = copy::copy(client, (schema, table), known, &columns, &values);
                    let written = answer(written, Some(&cure)).await;
                    written.map(|()| Reply::Done).map_err(|failed| failed.at(schema, table))
                }));
                continue;
            }
            let sql = sql::insert(schema, table, known, &columns, insert.is_latest);
            statements.push(Box::pin(async move {
                let parameters = sql::lists(&values);
                let written = answer(client.execute_typed(&sql, &parameters), Some(&cure)).await;
                written.map(|_| Reply::Done).map_err(|failed| failed.at(schema, table))
            }));
        }
        for (schema, discards) in &prepared.discards {
            let cure = cure(schema);
            let values = discard_values(discards);
            statements.push(Box::pin(async move {
                let parameters = sql::lists(&values);
                let sql = sql::insert_discards(schema);
                let new = answer(client.query_typed(&sql, &parameters), Some(&cure)).await;
                let new = new.map_err(|failed| failed.at(schema, DISCARDS))?;
                let reasons = new.iter().filter_map(|row| discards.get(row.get::<_, &str>(0)));
                Ok(Reply::Discards(reasons.map(|discard| discard.reason.code()).collect()))
            }));
        }
        // The inserts hold the tables by now, so nobody can alter a column any more. If somebody did since the catalogue
        // was read, PostgreSQL may have rounded a value that it should not have.
        statements.push(Box::pin(async move {
            Ok(Reply::Definitions(answer(definitions(client, &oids), None).await?))
        }));
        let mut inserted = Inserted::default();
        if self.has_notes {
            inserted.written.notes = group.iter().map(|one| (one.index, prepared.note(one))).collect();
        }
        // The first failure is the cause: all statements after it fail because the transaction has failed. A copy takes two
        // round trips, so a statement that must come after it cannot be sent at once.
        let mut replies = Vec::with_capacity(statements.len());
        if copyable.is_empty() {
            for reply in join_all(statements).await {
                replies.push(reply?);
            }
        } else {
            for statement in statements {
                replies.push(statement.await?);
            }
        }
        for reply in replies {
            match reply {
                Reply::Done => {}
                Reply::Deleted(deleted) => {
                    let is_deleted = |one: &&Pending<'_>| {
                        deleted.iter().any(|(schema, user, deleted_at)| {
                            one.schema == schema
                                && one.record.user.as_ref() == Some(user)
                                && one.record.received_at.as_millisecond() <= *deleted_at
                        })
                    };
                    inserted.deleted.extend(group.iter().filter(is_deleted).map(|one| one.index));
                }
                Reply::Definitions(found) => {
                    let is_as_known = |(schema, table): &(&str, &str)| {
                        let known = self.catalogue.get(*schema).and_then(|schema| schema.tables.get(*table));
                        known.is_some_and(|known| {
                            found
                                .iter()
                                .any(|(oid, definition)| (*oid, definition) == (known.oid, &known.definition))
                        })
                    };
                    if let Some((schema, table)) = prepared.inserts.keys().find(|name| !is_as_known(name)) {
                        return Err(Failed::changed().at(schema, table));
                    }
                }
                Reply::Discards(reasons) => {
                    for reason in reasons {
                        *inserted.written.discards.entry(reason).or_default() += 1;
                    }
                }
            }
        }
        Ok(inserted)
    }

    /// Deletes the rows of a user.
    async fn delete(&mut self, one: Pending<'_>) -> Result<(), Failed> {
        let Change::Delete(user_id) = &one.record.change else { return Ok(()) };
        // Another process may have made tables in the meantime. The deletion is remembered even before the first message.
        self.read(one.schema).await?;
        let own = |name: &str| {
            let missing = Missing { is_new: true, ..Missing::default() };
            ((one.schema.to_owned(), name.to_owned()), missing)
        };
        let is_missing = |own: &&str| {
            self.catalogue.get(one.schema).is_none_or(|schema| !schema.tables.contains_key(*own))
        };
        let wanted: Vec<_> = [DISCARDS, sql::DELETED].into_iter().filter(is_missing).map(own).collect();
        let created = if wanted.is_empty() { Ok(()) } else { self.create(one.schema, &wanted).await };
        let Some(schema) = self.catalogue.get(one.schema) else { return Ok(()) };
        let role = self.database.role();
        let deleted = match created {
            Ok(()) => deletion::delete(self.client, role, one.schema, schema, user_id, one.record).await,
            Err(failed) => Err(failed),
        };
        if deleted.is_ok() && self.has_notes {
            self.written.notes.push((one.index, format!("the user is deleted from {}", one.schema)));
        }
        self.outcomes[one.index] = Some(match deleted {
            Ok(()) => Outcome::Delivered,
            Err(failed) if matches!(failed.cause, Cause::Lost | Cause::Busy) => return Err(failed),
            Err(failed) if failed.cause == Cause::Constraint => refused(one, failed),
            Err(failed) => Outcome::retry(failed.failure),
        });
        Ok(())
    }
}

/// Returns the outcome of a message that a rule in the user's database refuses.
fn refused(one: Pending<'_>, failed: Failed) -> Outcome {
    match one.attempts + 1 < CONSTRAINT_ATTEMPTS {
        true => Outcome::retry(failed.failure),
        false => Outcome::Rejected(failed.failure),
    }
}

/// A statement of a transaction, until it is answered.
type Statement<'s> = Pin<Box<dyn Future<Output = Result<Reply, Failed>> + Send + 's>>;

/// An answer to a statement of a transaction.
enum Reply {
    Done,
    /// The schema, the digest of the user id, and the time of its deletion in milliseconds since 1970.
    Deleted(Vec<(String, String, i64)>),
    /// The definitions of the tables, by their object ids.
    Definitions(Vec<(u32, String)>),
    Discards(Vec<&'static str>),
}

/// A transaction that has not ended yet.
#[derive(Default)]
struct Inserted {
    written: Written,
    /// The indexes of the messages whose users were deleted after they were received.
    deleted: Vec<usize>,
}

/// Splits a group into parts, one of which does not have the message that PostgreSQL refused. The messages that are not in
/// its table are a part of their own.
fn split<'m>(group: Vec<Pending<'m>>, table: Option<&TableName>) -> Vec<Vec<Pending<'m>>> {
    let is_suspect = |one: &Pending<'_>| table.is_none_or(|table| one.is_in(table));
    let (mut suspects, mut others): (Vec<_>, Vec<_>) = group.into_iter().partition(is_suspect);
    if suspects.is_empty() {
        std::mem::swap(&mut suspects, &mut others);
    }
    if suspects.len() == 1 {
        return vec![others, suspects];
    }
    let second = suspects.split_off(suspects.len() / 2);
    vec![others, suspects, second]
}

/// Returns the values of the table of discards, one list for each column.
fn discard_values(discards: &BTreeMap<String, Discard>) -> Vec<Texts<'_>> {
    let mut values = vec![Vec::with_capacity(discards.len()); 2 + sql::DISCARD_COLUMNS.len()];
    for (id, discard) in discards {
        let row: [Option<Cow<'_, str>>; 2 + sql::DISCARD_COLUMNS.len()] = [
            Some(id.into()),
            Some(timestamp::format(discard.received_at).into()),
            Some((&discard.table).into()),
            Some((&discard.row_id).into()),
            Some((&discard.column).into()),
            Some(without_nul(&discard.property)),
            Some((&discard.value).into()),
            Some(discard.reason.to_string().into()),
            discard.version.as_deref().map(Cow::from),
            discard.user_id.as_deref().map(Cow::from),
        ];
        for (values, value) in values.iter_mut().zip(row) {
            values.push(value);
        }
    }
    values
}
