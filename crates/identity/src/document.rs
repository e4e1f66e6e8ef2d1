//! A TOML document in which every part knows its position.

use std::{borrow::Cow, fmt, ops::Range, sync::Arc};

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// A position in a file, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file's name.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A value and its position.
#[derive(Debug, PartialEq)]
pub(crate) struct Node<'a> {
    pub at: Position,
    pub content: Content<'a>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Content<'a> {
    Text(Cow<'a, str>),
    /// A number or a boolean.
    Scalar(Value),
    Array(Vec<Node<'a>>),
    Table(Table<'a>),
    /// A date or time, which does not exist in JSON.
    Date,
}

pub(crate) type Table<'a> = Vec<(Key<'a>, Node<'a>)>;

#[derive(Debug, PartialEq)]
pub(crate) struct Key<'a> {
    pub at: Position,
    pub name: Cow<'a, str>,
}

/// A fault in a file and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub at: Position,
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.at, self.problem)
    }
}

/// Reads a document.
pub(crate) fn parse<'a>(file: &str, text: &'a str) -> Result<Table<'a>, Fault> {
    let places = PositionFinder::new(file, text);
    match DeTable::parse(text) {
        Ok(table) => Ok(places.table(table.into_inner())),
        Err(error) => {
            let problem = format!("this is not TOML: {}", error.message().replace('\n', ", "));
            Err(Fault { at: places.find(error.span().unwrap_or(0..0)), problem })
        }
    }
}

/// Returns the value of a key.
pub(crate) fn value<'t, 'a>(table: &'t Table<'a>, name: &str) -> Option<&'t Node<'a>> {
    table.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
}

/// Merges `over` into `base`. Tables are merged, except for those whose members are replaced as a whole.
pub(crate) fn merge<'a>(base: &mut Table<'a>, over: Table<'a>) {
    merge_table(base, over, false);
}

/// Tables whose members are replaced as a whole: event types, sets, and the sources of values.
pub(crate) const OF_UNITS: [&str; 3] = ["on", "sets", "profile"];

/// Tables that are replaced as a whole: otherwise nobody could remove a default.
pub(crate) const UNITS: [&str; 5] = ["integrations", "proof", "answer", "event", "context"];

/// Lists to which a file can only add. One item may stand without an array.
pub(crate) const ADDITIVE: [&str; 2] = ["never", "json"];

impl<'a> Node<'a> {
    /// Returns the items of an array. Any other value stands for an array of one.
    pub fn items(&self) -> &[Self] {
        match &self.content {
            Content::Array(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    fn into_items(self) -> Vec<Self> {
        match self.content {
            Content::Array(items) => items,
            _ => vec![self],
        }
    }

    fn take_items(&mut self) -> Vec<Self> {
        let content = std::mem::replace(&mut self.content, Content::Array(Vec::new()));
        Self { at: self.at.clone(), content }.into_items()
    }
}

fn merge_table<'a>(base: &mut Table<'a>, over: Table<'a>, members_are_units: bool) {
    for (key, node) in over {
        let old = base.iter_mut().find(|(known, _)| known.name == key.name);
        let unit = members_are_units || UNITS.contains(&&*key.name);
        match (old, node) {
            // A file can protect more, and never less.
            (Some((_, old)), new) if ADDITIVE.contains(&&*key.name) => {
                let mut items = old.take_items();
                items.extend(new.into_items());
                old.content = Content::Array(items);
            }
            (
                Some((_, Node { content: Content::Table(old), .. })),
                Node { content: Content::Table(new), .. },
            ) if !unit => {
                merge_table(old, new, OF_UNITS.contains(&&*key.name));
            }
            (Some(old), node) => *old = (key, node),
            (None, node) => base.push((key, node)),
        }
    }
}

/// Finds lines and columns.
struct PositionFinder<'t> {
    file: Arc<str>,
    text: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> PositionFinder<'t> {
    fn new(file: &str, text: &'t str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { file: file.into(), text, line_starts }
    }

    fn find(&self, span: Range<usize>) -> Position {
        let line = self.line_starts.partition_point(|start| *start <= span.start).max(1);
        let before = self.text.get(self.line_starts[line - 1]..span.start).unwrap_or_default();
        Position { file: self.file.clone(), line, column: before.chars().count() + 1 }
    }

    fn table<'a>(&self, table: DeTable<'a>) -> Table<'a> {
        let entry = |(key, value): (Spanned<Cow<'a, str>>, Spanned<DeValue<'a>>)| {
            let at = self.find(key.span());
            (Key { at, name: key.into_inner() }, self.node(value))
        };
        table.into_iter().map(entry).collect()
    }

    fn node<'a>(&self, value: Spanned<DeValue<'a>>) -> Node<'a> {
        let at = self.find(value.span());
        let content = match value.into_inner() {
            DeValue::String(text) => Content::Text(text),
            DeValue::Boolean(flag) => Content::Scalar(flag.into()),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Content::Scalar(number.into()),
                Err(_) => Content::Date,
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Content::Scalar(number.into()),
                _ => Content::Date,
            },
            DeValue::Datetime(_) => Content::Date,
            DeValue::Array(items) => Content::Array(items.into_iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => Content::Table(self.table(table)),
        };
        Node { at, content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_knows_its_line_and_column() {
        let table = parse("m.toml", "a = 1\n\n['bä']\n  c.d = \"x\"\n").unwrap();
        assert_eq!(table[0].0.at.to_string(), "m.toml:1:1");
        assert_eq!(table[0].1.at.to_string(), "m.toml:1:5");
        let Content::Table(second) = &table[1].1.content else { panic!("a table") };
        assert_eq!(second[0].0.at.to_string(), "m.toml:4:3");
        let fault = parse("m.toml", "'ä' = 1\nb = = 2\n").unwrap_err();
        assert_eq!((fault.at.line, fault.at.column), (2, 5), "{fault:?}");
    }

    #[test]
    fn event_types_and_sets_are_replaced_as_a_whole_and_the_rest_is_merged() {
        let mut base = parse(
            "base",
            "naming = 'provider'\n[p.sets.user]\na = 'event.a'\nb = 'event.b'\n[p.on.x]\nidentify = {}\ntrack = {}\n[p.on.y]\ntrack = {}\n[p]\nintegrations = { All = false }",
        )
        .unwrap();
        merge(&mut base, parse("over", "naming = 'segment'\np.integrations = {}\np.on.x.delete = {}\n[p.sets.user]\nc = 'event.c'\n[q.on.z]\ntrack = {}").unwrap());
        let find = |path: &str| {
            let mut table = &base;
            for part in path.split('.') {
                let node = value(table, part).expect(path);
                let Content::Table(inner) = &node.content else { return node.at.file.to_string() };
                table = inner;
            }
            table.iter().map(|(key, _)| &*key.name).collect::<Vec<_>>().join(",")
        };
        assert_eq!(find("naming"), "over");
        assert_eq!(find("p.on"), "x,y");
        assert_eq!(find("p.on.x"), "delete");
        assert_eq!(find("p.on.y"), "track");
        assert_eq!(find("p.sets.user"), "c");
        assert_eq!(find("p.integrations"), "");
        assert_eq!(find("q.on.z"), "track");
    }
}
