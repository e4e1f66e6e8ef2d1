//! The rows of a message, before anything is known about the tables of the database.

use std::{collections::HashMap, ops::Range, sync::Arc};

use jiff::Timestamp;
use segment::{Message, MessageType, timestamp};
use serde_json::{Map, Value};

use crate::{
    digest::hex_digest,
    discard::{Discard, Reason},
    layout::{MAX_ID_CHARACTERS, TableKind},
    names::{KnownNames, Named, Names, SEPARATOR},
    value::without_nul,
};

/// A message as rows.
#[derive(Debug)]
pub struct Record {
    /// Its `messageId`. A message that has none gets one from its text, which is the same each time.
    pub message_id: String,
    /// When Segue received it.
    pub received_at: Timestamp,
    /// Its `userId` as the tables have it, if it has one.
    pub user_id: Option<String>,
    /// The digest of its `userId`.
    pub user: Option<String>,
    /// The change that it makes.
    pub change: Change,
}

/// The change that a message makes.
#[derive(Debug)]
pub enum Change {
    /// It adds rows, or changes those of `users` and `accounts`.
    Rows(Rows),
    /// It deletes all rows of the user with this id.
    Delete(String),
}

/// The rows of a message. They share their values.
#[derive(Debug)]
pub struct Rows {
    /// All values, first those of the call, then those of `context`, then the properties or traits.
    pub cells: Vec<Cell>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Values that have no place in any table.
    pub discards: Vec<Discard>,
    /// Orders the values of `users` and `accounts`. Later ones are greater, and no two messages have the same. It is empty
    /// if the message has no row there.
    pub version: String,
}

/// A row.
#[derive(Debug)]
pub struct Row {
    /// The kind of its table.
    pub kind: TableKind,
    /// The name of its table.
    pub table: Arc<str>,
    /// Its primary key.
    pub id: String,
    /// Its values among the [cells](Rows::cells).
    pub cells: Range<usize>,
    /// The values among these that the user leaves out.
    pub left_out: Vec<usize>,
}

/// A value that is neither null nor an object, and its column.
#[derive(Debug)]
pub struct Cell {
    /// The column's name.
    pub column: Arc<str>,
    /// The way to it in the message, such as `properties.price`.
    pub property: Arc<str>,
    /// The value.
    pub value: Value,
}

impl Rows {
    /// Returns the values of a row.
    pub fn cells_of<'r>(&'r self, row: &'r Row) -> impl Iterator<Item = &'r Cell> {
        let wanted = row.cells.clone().filter(|index| !row.left_out.contains(index));
        wanted.map(|index| &self.cells[index])
    }
}

impl Record {
    /// Returns the rows of a message that entered its queue at `entered`. A message of an identity provider does not say
    /// when it was received.
    pub fn new(message: Message, entered: Timestamp, names: &Names) -> Self {
        let derived = || format!("segue-{}", &hex_digest(message.as_json())[..32]);
        let message_id = message.message_id().map_or_else(derived, |id| without_nul(id).into_owned());
        let received_at = message.get("receivedAt").and_then(timestamp::parse).unwrap_or(entered);
        let user_id = message.user_id().map(str::to_owned);
        let user = user_id.as_deref().map(hex_digest);
        let id = user_id.as_deref().map(|id| without_nul(id).into_owned());
        let change = match (message.message_type(), user_id) {
            (MessageType::Delete, Some(user_id)) => Change::Delete(user_id),
            _ => Change::Rows(Builder::new(&message_id, received_at, &mut names.lock()).rows(message)),
        };
        Self { message_id, received_at, user_id: id, user, change }
    }
}

/// Collects the rows of a message.
struct Builder<'n> {
    names: &'n mut KnownNames,
    message_id: String,
    user_id: Option<String>,
    received_at: Timestamp,
    cells: Vec<Cell>,
    discards: Vec<Discard>,
    /// The cell of each column.
    columns: HashMap<Arc<str>, usize>,
}

impl<'n> Builder<'n> {
    fn new(message_id: &str, received_at: Timestamp, names: &'n mut KnownNames) -> Self {
        let (message_id, cells, discards) = (message_id.to_owned(), Vec::with_capacity(32), Vec::new());
        Self {
            names,
            message_id,
            user_id: None,
            received_at,
            cells,
            discards,
            columns: HashMap::with_capacity(32),
        }
    }

    fn rows(mut self, message: Message) -> Rows {
        let message_type = message.message_type();
        let mut object = message.into_object();
        let version = match message_type {
            MessageType::Identify | MessageType::Group => self.version(&object),
            _ => String::new(),
        };
        object.entry("timestamp").or_insert_with(|| timestamp::format(self.received_at).into());

        let event =
            object.get("event").and_then(Value::as_str).filter(|_| message_type == MessageType::Track);
        let event_table = event.map(|event| self.names.table(event));
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let (user_id, group_id) = (text("userId"), text("groupId"));
        self.user_id = user_id.as_deref().map(|id| without_nul(id).into_owned());
        let (kind, fields, values): (_, &[&str], _) = match message_type {
            MessageType::Track => (TableKind::Event, &["event"], "properties"),
            MessageType::Identify => (TableKind::Identifies, &[], "traits"),
            MessageType::Page => (TableKind::Pages, &["name", "category"], "properties"),
            MessageType::Screen => (TableKind::Screens, &["name", "category"], "properties"),
            MessageType::Group => (TableKind::Groups, &["groupId"], "traits"),
            MessageType::Alias | MessageType::Delete => (TableKind::Aliases, &["previousId"], "traits"),
        };
        let table = event_table.clone().unwrap_or_else(|| kind.table().into());

        if let Some(table) = event_table {
            self.call_cell("event", (*table).into());
        }
        let times = ["originalTimestamp", "sentAt", "timestamp"];
        // The user comes last, directly before the context: accounts have both.
        for field in times.iter().chain(fields).chain(&["anonymousId", "userId"]) {
            let column = if *field == "event" { "event_text" } else { field };
            match object.remove(*field) {
                None | Some(Value::Null) => {}
                Some(value @ Value::Object(_)) => self.call_cell(column, value.to_string().into()),
                Some(value) => self.call_cell(column, value),
            }
        }
        let context = self.cells.len();
        if let Some(Value::Object(members)) = object.remove("context") {
            self.flatten(&table, None, &mut "context".to_owned(), 0, members);
        }
        let own = self.cells.len();
        if let Some(Value::Object(members)) = object.remove(values) {
            let root = values.len() + SEPARATOR.len_utf8();
            self.flatten(&table, Some(kind), &mut values.to_owned(), root, members);
        }
        let end = self.cells.len();

        let row = |kind, table: Arc<str>, id: &str, cells| Row {
            kind,
            table,
            id: without_nul(id).into_owned(),
            cells,
            left_out: Vec::new(),
        };
        let mut rows = vec![row(kind, table.clone(), &self.message_id, 0..end)];
        match (kind, &user_id, &group_id) {
            (TableKind::Event, ..) => {
                rows.push(row(TableKind::Tracks, "tracks".into(), &self.message_id, 0..own));
            }
            (TableKind::Identifies, Some(user), _) => {
                rows.push(row(TableKind::Users, "users".into(), user, context..end));
            }
            (TableKind::Groups, _, Some(group)) => {
                let start = context - usize::from(user_id.is_some());
                rows.push(row(TableKind::Accounts, "accounts".into(), group, start..end));
            }
            _ => {}
        }
        self.discard_nul(&table);
        self.discard_long_ids(&mut rows);
        Rows { cells: self.cells, rows, discards: self.discards, version }
    }

    /// Returns the version of the message's values. A clock that is ahead must not make a value last.
    fn version(&self, object: &Map<String, Value>) -> String {
        let own_time = object.get("timestamp").and_then(timestamp::parse).unwrap_or(self.received_at);
        let digest = &hex_digest(&self.message_id)[..8];
        format!("{} {digest}", timestamp::format(own_time.min(self.received_at)))
    }

    /// Adds a value of the call itself.
    fn call_cell(&mut self, field: &str, value: Value) {
        let Named { column, property } = self.names.column(field, 0);
        self.columns.insert(column.clone(), self.cells.len());
        self.cells.push(Cell { column, property, value });
    }

    /// Adds the members of an object, and those of the objects in it. `way` leads to the object, and its first `root` bytes
    /// are not a part of the columns' names. `kind` is that of the table if the members are properties or traits.
    fn flatten(
        &mut self,
        table: &str,
        kind: Option<TableKind>,
        way: &mut String,
        root: usize,
        members: Map<String, Value>,
    ) {
        let length = way.len();
        for (member, value) in members {
            way.truncate(length);
            way.push(SEPARATOR);
            way.push_str(&member);
            let value = match value {
                Value::Null => continue,
                Value::Object(members) => {
                    self.flatten(table, kind, way, root, members);
                    continue;
                }
                value => value,
            };
            let Named { column, property } = self.names.column(way, root);
            let other = self.columns.get(&column).map(|index| &self.cells[*index].value);
            let reason = match other {
                // Nothing is lost. A page call often has its name among its properties too.
                Some(other) if *other == value => continue,
                _ if kind.is_some_and(|kind| kind.is_standard(&column)) => Reason::StandardColumn,
                Some(_) => Reason::Collision,
                None => {
                    self.columns.insert(column.clone(), self.cells.len());
                    self.cells.push(Cell { column, property, value });
                    continue;
                }
            };
            let discard = self.discard(table, &Cell { column, property, value }, reason);
            self.discards.push(discard);
        }
    }

    fn discard(&self, table: &str, cell: &Cell, reason: Reason) -> Discard {
        Discard {
            table: table.to_owned(),
            row_id: self.message_id.clone(),
            column: cell.column.to_string(),
            property: cell.property.to_string(),
            value: cell.value.to_string(),
            reason,
            received_at: self.received_at,
            user_id: self.user_id.clone(),
            version: None,
        }
    }

    /// Keeps the texts with NUL, which the row has without it.
    fn discard_nul(&mut self, table: &str) {
        let has_nul = |cell: &&Cell| cell.value.as_str().is_some_and(|text| text.contains('\0'));
        let found = self.cells.iter().filter(has_nul).map(|cell| self.discard(table, cell, Reason::Nul));
        let found: Vec<Discard> = found.collect();
        self.discards.extend(found);
    }

    /// Removes the rows of `users` and `accounts` whose id is too long for its column. All of their values are in the row
    /// of the call.
    fn discard_long_ids(&mut self, rows: &mut Vec<Row>) {
        rows.retain(|row| {
            let is_long = row.kind.is_latest() && row.id.chars().nth(MAX_ID_CHARACTERS).is_some();
            if is_long {
                let property = if row.kind == TableKind::Users { "userId" } else { "groupId" };
                let cell =
                    Cell { column: "id".into(), property: property.into(), value: row.id.clone().into() };
                let discard = self.discard(&row.table, &cell, Reason::LongId);
                self.discards.push(discard);
            }
            !is_long
        });
    }
}
