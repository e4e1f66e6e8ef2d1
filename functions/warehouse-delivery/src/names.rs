//! The names of columns and tables that messages had before. Most messages have the same properties, and to make a name
//! takes longer than to look it up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::name;

/// The most names that are kept. Senders choose them.
const MOST: usize = 20_000;

/// Separates the members on the way to a value.
pub const SEPARATOR: char = '\u{1f}';

/// The names so far.
#[derive(Default)]
pub struct Names(Mutex<KnownNames>);

/// The names so far, for one message.
#[derive(Default)]
pub struct KnownNames {
    columns: HashMap<String, Named>,
    tables: HashMap<String, Arc<str>>,
}

/// A column and the way to its value.
#[derive(Clone, Debug)]
pub struct Named {
    /// The column's name.
    pub column: Arc<str>,
    /// The way to the value in the message, such as `properties.price`.
    pub property: Arc<str>,
}

impl Names {
    /// Returns the names, for as long as a message is read.
    pub fn lock(&self) -> MutexGuard<'_, KnownNames> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.columns.len() + names.tables.len() > MOST {
            *names = KnownNames::default();
        }
        names
    }
}

impl KnownNames {
    /// Returns the column of the value at the end of `way`, which has a [`SEPARATOR`] between its members. The first
    /// `root` bytes of it are not a part of the column's name.
    pub fn column(&mut self, way: &str, root: usize) -> Named {
        if let Some(known) = self.columns.get(way) {
            return known.clone();
        }
        let column = name::column(&way[root..].replace(SEPARATOR, "_"));
        let named = Named { column: column.into(), property: way.replace(SEPARATOR, ".").into() };
        self.columns.insert(way.to_owned(), named.clone());
        named
    }

    /// Returns the table of an event.
    pub fn table(&mut self, event: &str) -> Arc<str> {
        if let Some(known) = self.tables.get(event) {
            return known.clone();
        }
        let table: Arc<str> = name::event_table(event).into();
        self.tables.insert(event.to_owned(), table.clone());
        table
    }
}
