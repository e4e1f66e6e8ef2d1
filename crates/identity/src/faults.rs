//! Collects the faults of a file. Each has its position and names the word that was probably meant.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use settings::nearest::{nearest, suggestion};

use crate::{
    document::{Content, Fault, Key, Node, Position, Table},
    path::Path,
};

/// Collects faults.
#[derive(Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(&mut self, at: &Position, problem: impl Into<String>) {
        self.0.push(Fault { at: at.clone(), problem: problem.into() });
    }

    /// Returns the number of faults so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no fault so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `value` if there is no fault.
    pub fn or<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }

    /// Adds a fault for a key that is not in `known`.
    pub fn unknown_key(&mut self, key: &Key<'_>, known: &[&str], hint: &str) {
        let name = &key.name;
        let suggestion = suggestion(name, known);
        self.add(&key.at, format!("there is no key {name:?} here; {suggestion}{hint}"));
    }

    /// Adds a fault for a value that is not in `known`.
    pub fn unknown_value(&mut self, at: &Position, value: &str, known: &[&str]) {
        let all = known.join(", ");
        let problem = match nearest(value, known.iter().copied()) {
            Some(near) => format!("there is no {value:?}; did you mean {near:?}? Known are: {all}"),
            None => format!("there is no {value:?}; known are: {all}"),
        };
        self.add(at, problem);
    }

    pub fn text<'n>(&mut self, node: &'n Node<'_>) -> Option<&'n str> {
        match &node.content {
            Content::Text(text) if !text.trim().is_empty() => return Some(text),
            Content::Text(_) => self.add(&node.at, "this must not be empty"),
            _ => self.add(&node.at, "this must be a string"),
        }
        None
    }

    pub fn flag(&mut self, node: &Node<'_>) -> Option<bool> {
        match node.content {
            Content::Scalar(Value::Bool(flag)) => return Some(flag),
            _ => self.add(&node.at, "this must be true or false"),
        }
        None
    }

    /// Returns an integer in a range of numbers that are not negative.
    pub fn number(&mut self, node: &Node<'_>, range: RangeInclusive<i64>) -> Option<u64> {
        let number = match &node.content {
            Content::Scalar(value) => value.as_i64().filter(|number| range.contains(number)),
            _ => None,
        };
        if number.is_none() {
            self.add(&node.at, format!("this must be a number from {} to {}", range.start(), range.end()));
        }
        number.and_then(|number| u64::try_from(number).ok())
    }

    /// Returns the texts of an array, or one text.
    pub fn texts<'n>(&mut self, node: &'n Node<'_>) -> Vec<&'n str> {
        node.items().iter().filter_map(|item| self.text(item)).collect()
    }

    pub fn table<'n>(&mut self, node: &'n Node<'n>) -> Option<&'n Table<'n>> {
        match &node.content {
            Content::Table(table) => Some(table),
            _ => {
                self.add(&node.at, "this must be a table");
                None
            }
        }
    }

    pub fn path(&mut self, node: &Node<'_>) -> Option<Path> {
        let text = self.text(node)?;
        Path::parse(text).map_err(|problem| self.add(&node.at, problem)).ok()
    }

    /// Returns any JSON value.
    pub fn constant(&mut self, node: &Node<'_>) -> Option<Value> {
        Some(match &node.content {
            Content::Text(text) => (&**text).into(),
            Content::Scalar(value) => value.clone(),
            Content::Array(items) => items.iter().filter_map(|item| self.constant(item)).collect(),
            Content::Table(table) => self.object(table).into(),
            Content::Date => {
                self.add(&node.at, "JSON has no such value; put it in quotes");
                return None;
            }
        })
    }

    pub fn object(&mut self, table: &Table<'_>) -> Map<String, Value> {
        table.iter().filter_map(|(key, node)| Some((key.name.to_string(), self.constant(node)?))).collect()
    }
}
