//! The rows of a message, before anything is known about the tables of the database.

use std::{collections::HashMap, ops::Range};

use jiff::Timestamp;
use segment::{Message, MessageType, timestamp};
use serde_json::{Map, Value};

use crate::{
    digest::hex_digest,
    discard::{Discard, Reason},
    layout::{MAX_ID_CHARACTERS, TableKind},
    name,
    value::without_nul,
};

/// A message as rows.
#[derive(Debug)]
pub struct Record {
    /// Its `messageId`. A message that has none gets one from its text, which is the same each time.
    pub message_id: String,
    /// When Segue received it.
    pub received_at: Timestamp,
    /// The digest of its `userId`, if it has one.
    pub user: Option<String>,
    /// What is done with it.
    pub change: Change,
}

/// What a message changes.
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
    /// Orders the values of `users` and `accounts`. Later ones are greater, and no two messages have the same.
    pub version: String,
}

/// A row.
#[derive(Debug)]
pub struct Row {
    /// The kind of its table.
    pub kind: TableKind,
    /// The name of its table.
    pub table: String,
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
    pub column: String,
    /// The way to it in the message, such as `properties.price`.
    pub property: String,
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
    pub fn new(message: Message, entered: Timestamp) -> Self {
        let derived = || format!("segue-{}", &hex_digest(message.as_json())[..32]);
        let message_id = message.message_id().map_or_else(derived, |id| without_nul(id).into_owned());
        let received_at = message.get("receivedAt").and_then(timestamp::parse).unwrap_or(entered);
        let user_id = message.user_id().map(str::to_owned);
        let user = user_id.as_deref().map(hex_digest);
        let change = match (message.message_type(), user_id) {
            (MessageType::Delete, Some(user_id)) => Change::Delete(user_id),
            _ => Change::Rows(Builder::new(&message_id, received_at).rows(message)),
        };
        Self { message_id, received_at, user, change }
    }
}

/// Collects the rows of a message.
struct Builder {
    message_id: String,
    received_at: Timestamp,
    cells: Vec<Cell>,
    discards: Vec<Discard>,
    /// The cell of each column.
    columns: HashMap<String, usize>,
}

impl Builder {
    fn new(message_id: &str, received_at: Timestamp) -> Self {
        let (message_id, cells, discards, columns) =
            (message_id.to_owned(), Vec::new(), Vec::new(), HashMap::new());
        Self { message_id, received_at, cells, discards, columns }
    }

    fn rows(mut self, message: Message) -> Rows {
        let message_type = message.message_type();
        let mut object = message.into_object();
        let own_time = object.get("timestamp").and_then(timestamp::parse).unwrap_or(self.received_at);
        let digest = &hex_digest(&self.message_id)[..8];
        let version = format!("{} {digest}", timestamp::format(own_time.min(self.received_at)));
        object.entry("timestamp").or_insert_with(|| timestamp::format(self.received_at).into());

        let event =
            object.get("event").and_then(Value::as_str).filter(|_| message_type == MessageType::Track);
        let event_table = event.map(name::event_table);
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let (user_id, group_id) = (text("userId"), text("groupId"));
        let (kind, fields, values): (_, &[&str], _) = match message_type {
            MessageType::Track => (TableKind::Event, &["event"], "properties"),
            MessageType::Identify => (TableKind::Identifies, &[], "traits"),
            MessageType::Page => (TableKind::Pages, &["name", "category"], "properties"),
            MessageType::Screen => (TableKind::Screens, &["name", "category"], "properties"),
            MessageType::Group => (TableKind::Groups, &["groupId"], "traits"),
            MessageType::Alias | MessageType::Delete => (TableKind::Aliases, &["previousId"], "traits"),
        };
        let table = event_table.clone().unwrap_or_else(|| kind.table().to_owned());

        if let Some(table) = event_table {
            self.cells.push(Cell {
                column: "event".to_owned(),
                property: "event".to_owned(),
                value: table.into(),
            });
        }
        let times = ["originalTimestamp", "sentAt", "timestamp"];
        // The user comes last, directly before the context: accounts have both.
        for field in times.iter().chain(fields).chain(&["anonymousId", "userId"]) {
            let column = if *field == "event" { "event_text".to_owned() } else { name::column(field) };
            match object.remove(*field) {
                None | Some(Value::Null) => {}
                Some(value @ Value::Object(_)) => {
                    self.cells.push(Cell {
                        column,
                        property: (*field).to_owned(),
                        value: value.to_string().into(),
                    });
                }
                Some(value) => self.cells.push(Cell { column, property: (*field).to_owned(), value }),
            }
        }
        for (index, cell) in self.cells.iter().enumerate() {
            self.columns.insert(cell.column.clone(), index);
        }
        let context = self.cells.len();
        if let Some(Value::Object(members)) = object.remove("context") {
            self.flatten(&table, None, "context", "context", members);
        }
        let own = self.cells.len();
        if let Some(Value::Object(members)) = object.remove(values) {
            self.flatten(&table, Some(kind), "", values, members);
        }
        let end = self.cells.len();

        let row = |kind, table: &str, id: &str, cells| Row {
            kind,
            table: table.to_owned(),
            id: without_nul(id).into_owned(),
            cells,
            left_out: Vec::new(),
        };
        let mut rows = vec![row(kind, &table, &self.message_id, 0..end)];
        match (kind, &user_id, &group_id) {
            (TableKind::Event, ..) => rows.push(row(TableKind::Tracks, "tracks", &self.message_id, 0..own)),
            (TableKind::Identifies, Some(user), _) => {
                rows.push(row(TableKind::Users, "users", user, context..end));
            }
            (TableKind::Groups, _, Some(group)) => {
                let start = context - usize::from(user_id.is_some());
                rows.push(row(TableKind::Accounts, "accounts", group, start..end));
            }
            _ => {}
        }
        self.discard_nul(&table);
        self.discard_long_ids(&mut rows);
        Rows { cells: self.cells, rows, discards: self.discards, version }
    }

    /// Adds the members of an object, and those of the objects in it. `name` and `property` lead to the object. `kind` is
    /// that of the table if the members are properties or traits.
    fn flatten(
        &mut self,
        table: &str,
        kind: Option<TableKind>,
        name: &str,
        property: &str,
        members: Map<String, Value>,
    ) {
        for (member, value) in members {
            let name = if name.is_empty() { member.clone() } else { format!("{name}_{member}") };
            let property = format!("{property}.{member}");
            let value = match value {
                Value::Null => continue,
                Value::Object(members) => {
                    self.flatten(table, kind, &name, &property, members);
                    continue;
                }
                value => value,
            };
            let column = name::column(&name);
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
            column: cell.column.clone(),
            property: cell.property.clone(),
            value: cell.value.to_string(),
            reason,
            received_at: self.received_at,
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
                let cell = Cell {
                    column: "id".to_owned(),
                    property: property.to_owned(),
                    value: row.id.clone().into(),
                };
                let discard = self.discard(&row.table, &cell, Reason::LongId);
                self.discards.push(discard);
            }
            !is_long
        });
    }
}
