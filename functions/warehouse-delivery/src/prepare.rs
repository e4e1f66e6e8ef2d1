//! Fits the rows of messages into the tables of the database: which columns are missing, and the parameters of the
//! statements.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
};

use jiff::Timestamp;
use segment::timestamp;
use serde_json::{Map, Value};

use crate::{
    catalogue::{Schema, Table},
    discard::{DISCARDS, Discard, Reason, WHOLE_ROW},
    layout::{FIRST_COLUMNS, TableKind, VERSIONS},
    record::{Cell, Change, Record, Row, Rows},
    sql::{DELETED, NewColumn},
    value::ColumnType,
};

/// The most columns of a table. PostgreSQL takes 1,600, but a row of 8,160 bytes, into which 700 short values fit.
pub const MAX_COLUMNS: usize = 500;

/// The schemas of the database, by name.
pub type Catalogue = HashMap<String, Schema>;

/// A message and the schema that it goes to.
#[derive(Clone, Copy)]
pub struct Pending<'m> {
    /// Its index among the outcomes.
    pub index: usize,
    /// The name of the schema.
    pub schema: &'m str,
    /// The message.
    pub record: &'m Record,
    /// How often it was tried before.
    pub attempts: u32,
}

/// The schema and the name of a table.
pub type TableName = (String, String);

/// The columns that a table lacks.
#[derive(Debug, Default)]
pub struct Missing {
    /// The kind of the table. Segue's own tables have none.
    pub kind: Option<TableKind>,
    /// Whether there is no such table.
    pub is_new: bool,
    /// Whether another relation has the name of its constraint.
    pub is_name_taken: bool,
    /// The columns.
    pub columns: Vec<NewColumn>,
}

/// A value that PostgreSQL refused: its table and column, and PostgreSQL's reason.
pub type Refused = HashMap<(String, String), String>;

/// The parameters of the statements for some messages.
#[derive(Default)]
pub struct Prepared<'m> {
    /// One statement for each table, in the order of their names: transactions that take locks in the same order never
    /// wait for each other in a circle.
    pub inserts: BTreeMap<(&'m str, &'m str), Insert<'m>>,
    /// The discards of each schema, by their ids.
    pub discards: BTreeMap<&'m str, BTreeMap<String, Discard>>,
    /// The tables whose columns do not take a value, by what is known of them.
    pub refusing: BTreeSet<(&'m str, &'m str)>,
    /// The columns of the discards, and their reasons for metrics, by the indexes of their messages.
    discarded: BTreeMap<usize, Vec<(String, &'static str)>>,
}

/// The rows for a table.
#[derive(Default)]
pub struct Insert<'m> {
    /// Whether its rows hold the latest values.
    pub is_latest: bool,
    columns: Vec<&'m str>,
    index_of: HashMap<&'m str, usize>,
    /// The rows by id, in order for the same reason.
    rows: BTreeMap<&'m str, RowValues<'m>>,
}

/// The values of a column as PostgreSQL reads them, one for each row.
pub type Texts<'t> = Vec<Option<Cow<'t, str>>>;

struct RowValues<'m> {
    received_at: Timestamp,
    values: Vec<(usize, Cow<'m, str>, &'m str)>,
}

impl<'m> Pending<'m> {
    /// Returns the rows of the message. A deletion has none.
    pub fn rows(&self) -> Option<&'m Rows> {
        match &self.record.change {
            Change::Rows(rows) => Some(rows),
            Change::Delete(_) => None,
        }
    }

    /// Whether the message has a row in this table.
    pub fn is_in(&self, (schema, table): &TableName) -> bool {
        self.schema == schema
            && self.rows().is_some_and(|rows| rows.rows.iter().any(|row| *row.table == **table))
    }
}

/// Returns what the tables of these messages lack.
pub fn missing(pending: &[Pending<'_>], catalogue: &Catalogue) -> BTreeMap<TableName, Missing> {
    let mut missing = BTreeMap::new();
    for one in pending {
        let (Some(schema), Some(rows)) = (catalogue.get(one.schema), one.rows()) else { continue };
        for own in [DISCARDS, DELETED].into_iter().filter(|own| !schema.tables.contains_key(*own)) {
            let of_own = Missing { is_new: true, ..Missing::default() };
            missing.insert((one.schema.to_owned(), own.to_owned()), of_own);
        }
        for row in &rows.rows {
            let table = schema.tables.get(&*row.table);
            let is_closed = match table {
                Some(table) => !table.takes_rows || table.is_full,
                None => row.kind == TableKind::Event && !schema.has_room(),
            };
            if is_closed {
                continue;
            }
            let columns = lacking(row, rows, table);
            if table.is_some() && columns.is_empty() {
                continue;
            }
            let of_table =
                missing.entry((one.schema.to_owned(), row.table.to_string())).or_insert_with(|| Missing {
                    kind: Some(row.kind),
                    is_new: table.is_none(),
                    ..Missing::default()
                });
            let room = MAX_COLUMNS.saturating_sub(match table {
                Some(table) => table.columns.len(),
                None => FIRST_COLUMNS.len() + row.kind.columns().count(),
            });
            for column in columns {
                let is_own = ["received_at", "uuid_ts", VERSIONS].contains(&&*column.0);
                if (is_own || of_table.columns.len() < room)
                    && of_table.columns.iter().all(|(known, _)| *known != column.0)
                {
                    of_table.columns.push(column);
                }
            }
        }
    }
    missing.retain(|_, of_table| of_table.is_new || !of_table.columns.is_empty());
    missing
}

/// Returns the columns of a row that its table lacks. The first value of a column gives it its type.
fn lacking(row: &Row, rows: &Rows, table: Option<&Table>) -> Vec<NewColumn> {
    let is_known = |column: &str| match table {
        Some(table) => table.columns.contains_key(column),
        None => standard(row.kind, column).is_some(),
    };
    let own = [FIRST_COLUMNS[1], FIRST_COLUMNS[2], (VERSIONS, ColumnType::Json)].into_iter();
    let own = own.filter(|(name, _)| (*name != VERSIONS || row.kind.is_latest()) && !is_known(name));
    let cells = rows.cells_of(row).filter(|cell| !is_known(&cell.column)).filter_map(|cell| {
        let column_type = standard(row.kind, &cell.column).or_else(|| ColumnType::of(&cell.value));
        Some((&*cell.column, column_type?))
    });
    own.chain(cells).map(|(name, column_type)| (name.to_owned(), column_type)).collect()
}

/// Returns the type of a column that every new table of this kind has.
fn standard(kind: TableKind, column: &str) -> Option<ColumnType> {
    let mut columns = FIRST_COLUMNS.into_iter().chain(kind.columns());
    columns.find(|(name, _)| *name == column).map(|(_, column_type)| column_type)
}

/// Returns the parameters for these messages. A value that has no place in its row becomes a discard.
pub fn prepare<'m>(pending: &[Pending<'m>], catalogue: &Catalogue, refused: &Refused) -> Prepared<'m> {
    let mut prepared = Prepared::default();
    for one in pending {
        let (Some(schema), Some(rows)) = (catalogue.get(one.schema), one.rows()) else { continue };
        for discard in &rows.discards {
            prepared.discard(one, discard.clone());
        }
        for row in &rows.rows {
            match schema.tables.get(&*row.table) {
                Some(table) if table.takes_rows => prepared.add(one, rows, row, table, refused),
                Some(_) => prepared.discard(one, whole_row(one.record, rows, row, Reason::NotWritable)),
                None => prepared.discard(one, whole_row(one.record, rows, row, Reason::TableLimit)),
            }
        }
    }
    prepared
}

/// Returns the discard of a row without a table. Its value is an object with the values by their ways in the message.
fn whole_row(record: &Record, rows: &Rows, row: &Row, reason: Reason) -> Discard {
    let cells = rows.cells_of(row);
    let values: Map<String, Value> =
        cells.map(|cell| (cell.property.to_string(), cell.value.clone())).collect();
    let cell = Cell { column: WHOLE_ROW.into(), property: WHOLE_ROW.into(), value: Value::Object(values) };
    of_cell(record, rows, row, &cell, reason)
}

fn of_cell(record: &Record, rows: &Rows, row: &Row, cell: &Cell, reason: Reason) -> Discard {
    Discard {
        table: row.table.to_string(),
        row_id: row.id.clone(),
        column: cell.column.to_string(),
        property: cell.property.to_string(),
        value: cell.value.to_string(),
        reason,
        received_at: record.received_at,
        // A value of a group is not the user's.
        user_id: record.user_id.clone().filter(|_| row.kind != TableKind::Accounts),
        version: row.kind.is_latest().then(|| rows.version.clone()),
    }
}

impl<'m> Prepared<'m> {
    /// Returns what becomes of a message, for people.
    pub fn note(&self, one: &Pending<'_>) -> String {
        let rows = one.rows().map_or(&[][..], |rows| &rows.rows);
        let tables: BTreeSet<&str> = rows.iter().map(|row| &*row.table).collect();
        let is_there = |table: &&str| self.inserts.contains_key(&(one.schema, *table));
        let tables: Vec<&str> = tables.into_iter().filter(is_there).collect();
        let mut note = format!("a row in {} of {}", tables.join(", "), one.schema);
        let mut discarded = self.discarded.get(&one.index).cloned().unwrap_or_default();
        discarded.dedup();
        for (number, (column, reason)) in discarded.iter().enumerate() {
            let _ = write!(note, "{}{column} ({reason})", if number == 0 { "; discarded: " } else { ", " });
        }
        note
    }

    /// Whether something of the message is discarded.
    pub fn has_discards(&self, one: &Pending<'_>) -> bool {
        self.discarded.contains_key(&one.index)
    }

    fn discard(&mut self, one: &Pending<'m>, discard: Discard) {
        let known = self.discarded.entry(one.index).or_default();
        known.push((discard.column.clone(), discard.reason.code()));
        let discards = self.discards.entry(one.schema).or_default();
        let id = discard.id();
        let is_newer = discards.get(&id).is_none_or(|known| discard.version > known.version);
        if is_newer {
            discards.insert(id, discard);
        }
    }

    fn add(&mut self, one: &Pending<'m>, rows: &'m Rows, row: &'m Row, table: &Table, refused: &Refused) {
        let mut values = Vec::with_capacity(row.cells.len());
        let mut discards = Vec::new();
        for cell in rows.cells_of(row) {
            let refusal =
                (!refused.is_empty()).then(|| refused.get(&(row.table.to_string(), cell.column.to_string())));
            let fitted = match (table.columns.get(&*cell.column), refusal.flatten()) {
                (_, Some(reason)) => Err(Reason::Refused(reason.clone())),
                (None, _) => Err(Reason::ColumnLimit),
                (Some(column), _) if !column.takes_values => Err(Reason::NotWritable),
                (Some(column), _) => column.column_type.fit(&cell.value).map_err(|misfit| Reason::Misfit {
                    misfit,
                    column_type: column.cast.trim_start_matches("pg_catalog.").replace('"', ""),
                }),
            };
            match fitted {
                Ok(text) => values.push((&*cell.column, text)),
                Err(reason) => {
                    self.refusing.insert((one.schema, &row.table));
                    discards.push(of_cell(one.record, rows, row, cell, reason));
                }
            }
        }
        for discard in discards {
            self.discard(one, discard);
        }
        let insert = self.inserts.entry((one.schema, &row.table)).or_default();
        insert.is_latest = row.kind.is_latest();
        insert.add(&row.id, one.record.received_at, values, &rows.version);
    }
}

impl<'m> Insert<'m> {
    /// Adds a row, or its values to those of the same row: each value with the greater version stays. Of two messages with
    /// the same id the first one stays.
    fn add(
        &mut self,
        id: &'m str,
        received_at: Timestamp,
        values: Vec<(&'m str, Cow<'m, str>)>,
        version: &'m str,
    ) {
        let (columns, index_of) = (&mut self.columns, &mut self.index_of);
        let values = values.into_iter().map(|(column, text)| {
            let index = *index_of.entry(column).or_insert_with(|| {
                columns.push(column);
                columns.len() - 1
            });
            (index, text, version)
        });
        let Some(row) = self.rows.get_mut(id) else {
            self.rows.insert(id, RowValues { received_at, values: values.collect() });
            return;
        };
        if !self.is_latest {
            return;
        }
        row.received_at = row.received_at.max(received_at);
        for value in values {
            match row.values.iter_mut().find(|(index, ..)| *index == value.0) {
                Some(known) if known.2 < value.2 => *known = value,
                Some(_) => {}
                None => row.values.push(value),
            }
        }
    }

    /// Returns the names of the columns, and their values as texts, one for each row.
    pub fn parameters(&self) -> (Vec<&'m str>, Vec<Texts<'_>>) {
        let mut columns = vec!["id", "received_at"];
        columns.extend(&self.columns);
        let first = columns.len() - self.columns.len();
        let mut values: Vec<Texts<'_>> = vec![vec![None; self.rows.len()]; columns.len()];
        let mut versions = Vec::with_capacity(self.rows.len());
        for (at, (id, row)) in self.rows.iter().enumerate() {
            values[0][at] = Some(Cow::Borrowed(id));
            values[1][at] = Some(timestamp::format(row.received_at).into());
            for (index, text, _) in &row.values {
                values[first + index][at] = Some(Cow::Borrowed(text));
            }
            if self.is_latest {
                let of_columns = row
                    .values
                    .iter()
                    .map(|(index, _, version)| (self.columns[*index].to_owned(), (*version).into()));
                versions.push(Some(Value::Object(of_columns.collect()).to_string().into()));
            }
        }
        if self.is_latest {
            columns.push(VERSIONS);
            values.push(versions);
        }
        (columns, values)
    }
}
