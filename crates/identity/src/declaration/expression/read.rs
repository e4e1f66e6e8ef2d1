//! Reads where a value comes from.

use jiff::{Timestamp, Zoned, fmt::strtime, tz::TimeZone};
use serde_json::Value;
use settings::nearest::suggestion;

use super::{Expression, Item, Piece, TimeFormat, Type, Unit};
use crate::{
    credentials,
    declaration::grammar::EXPRESSIONS,
    document::{Content, Node, Position, Table, value},
    faults::Faults,
    path::{self, Path, Root},
    schema::names,
};

/// How many levels an expression may have.
const MAX_LEVELS: usize = 16;

/// Reads the paths of an array, or one path.
fn several_paths(node: &Node<'_>, roots: &[Root], faults: &mut Faults) -> Vec<Path> {
    let texts = faults.texts(node);
    texts.into_iter().filter_map(|text| parsed(text, &node.at, roots, faults)).collect()
}

pub fn path_from(node: &Node<'_>, roots: &[Root], faults: &mut Faults) -> Option<Path> {
    let text = faults.text(node)?;
    parsed(text, &node.at, roots, faults)
}

fn parsed(text: &str, at: &Position, roots: &[Root], faults: &mut Faults) -> Option<Path> {
    Path::parse_from(text, roots).map_err(|problem| faults.add(at, problem)).ok()
}

/// Reads the members of an object, each with its source.
pub fn members(
    node: &Node<'_>,
    roots: &[Root],
    level: usize,
    faults: &mut Faults,
) -> Vec<(String, Expression)> {
    let mut members = Vec::new();
    for (key, node) in faults.table(node).into_iter().flatten() {
        if credentials::is_credential(&key.name, &Value::String(String::new())) {
            faults.add(&key.at, format!("{:?} names a credential, and those are never sent", key.name));
            continue;
        }
        members.push((key.name.to_string(), expression(node, roots, level + 1, faults)));
    }
    members
}

/// Reads the source of a text.
pub fn text(node: &Node<'_>, roots: &[Root], faults: &mut Faults) -> Expression {
    let (before, read) = (faults.len(), expression(node, roots, 0, faults));
    if faults.len() == before && !read.is_text() {
        faults.add(
            &node.at,
            "this must be a text; write the path of a number in braces, such as \"{event.user.id}\"",
        );
    }
    read
}

/// Reads the source of an event's id.
pub fn id(node: &Node<'_>, faults: &mut Faults) -> Expression {
    let before = faults.len();
    let read = text(node, &Root::OF_EVENTS, faults);
    let mut reads = false;
    read.paths(&mut |_| reads = true);
    if !reads && faults.len() == before {
        faults.add(&node.at, "an id that is the same for all events makes one of all; leave it out instead");
    }
    read
}

/// Reads the source of a value. A faulty one becomes null.
pub fn expression(node: &Node<'_>, roots: &[Root], level: usize, faults: &mut Faults) -> Expression {
    const NULL: Expression = Expression::Constant(Value::Null);
    if level > MAX_LEVELS {
        faults.add(&node.at, format!("this is nested deeper than {MAX_LEVELS} levels"));
        return NULL;
    }
    match &node.content {
        Content::Text(text) if text.contains('{') => template(text, &node.at, roots, faults),
        Content::Text(_) => path_from(node, roots, faults).map_or(NULL, Expression::Path),
        Content::Array(items) if items.is_empty() => {
            faults.add(&node.at, "this must not be empty");
            NULL
        }
        Content::Array(items) => {
            Expression::First(items.iter().map(|item| expression(item, roots, level + 1, faults)).collect())
        }
        Content::Table(table) => composed(node, table, roots, level, faults).unwrap_or(NULL),
        Content::Scalar(_) | Content::Date => {
            faults.add(&node.at, "this must be a path, or a constant as { value = … }");
            NULL
        }
    }
}

/// Reads a text with paths in braces.
fn template(text: &str, at: &Position, roots: &[Root], faults: &mut Faults) -> Expression {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let Some((path, after)) = after.split_once('}') else {
            faults.add(at, "a { in the text is not closed");
            return Expression::Constant(Value::Null);
        };
        pieces.extend(parsed(path, at, roots, faults).map(Piece::Path));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Expression::Template(pieces)
}

fn composed(
    node: &Node<'_>,
    table: &Table<'_>,
    roots: &[Root],
    level: usize,
    faults: &mut Faults,
) -> Option<Expression> {
    let Some(form) = EXPRESSIONS.iter().find(|form| value(table, form[0].0).is_some()) else {
        let heads: Vec<&str> = EXPRESSIONS.iter().map(|form| form[0].0).collect();
        match table.first() {
            Some((key, _)) => faults.unknown_key(key, &heads, ""),
            None => faults.add(&node.at, format!("this is empty; {}", suggestion("", &heads))),
        }
        return None;
    };
    let known = names(form);
    let before = faults.len();
    for (key, _) in table.iter().filter(|(key, _)| !known.contains(&&*key.name)) {
        faults.unknown_key(key, &known, "");
    }
    if faults.len() > before {
        return None;
    }
    let find = |name: &str| value(table, name);
    let head = find(form[0].0)?;
    let mut any_text = |name: &str, otherwise: &str| match find(name).map(|node| &node.content) {
        None => otherwise.to_owned(),
        Some(Content::Text(text)) => text.to_string(),
        Some(_) => {
            faults.add(&node.at, format!("{name} must be a string"));
            String::new()
        }
    };
    Some(match form[0].0 {
        "value" => Expression::Constant(faults.constant(head)?),
        "join" => {
            let with = any_text("with", " ");
            let Content::Array(items) = &head.content else {
                faults.add(&head.at, "this must be an array");
                return None;
            };
            let parts = items.iter().map(|item| expression(item, roots, level + 1, faults)).collect();
            Expression::Join { parts, with }
        }
        "text" => {
            let [after, before, without] = ["after", "before", "without"].map(|name| any_text(name, ""));
            let of = Box::new(expression(head, roots, level + 1, faults));
            Expression::Part { of, after, before, without }
        }
        "time" => {
            let format = match find("format") {
                Some(node) => time_format(node, faults)?,
                None => TimeFormat::Any,
            };
            Expression::Time { of: several_paths(head, roots, faults), format }
        }
        "date" => {
            let format = match find("format") {
                Some(node) => time_format(node, faults)?,
                None => TimeFormat::Any,
            };
            Expression::Date { of: several_paths(head, roots, faults), format }
        }
        "number" => Expression::Typed(Type::Number, several_paths(head, roots, faults)),
        "boolean" => Expression::Typed(Type::Boolean, several_paths(head, roots, faults)),
        "texts" => Expression::Typed(Type::Texts, several_paths(head, roots, faults)),
        "freeForm" => Expression::FreeForm(path_from(head, roots, faults)?),
        "fields" => Expression::Fields(members(head, roots, level, faults)),
        _ => Expression::Item(item(head, find, node, roots, level, faults)?),
    })
}

fn time_format(node: &Node<'_>, faults: &mut Faults) -> Option<TimeFormat> {
    Some(match faults.text(node)? {
        "seconds" => TimeFormat::Unit(Unit::Seconds),
        "milliseconds" => TimeFormat::Unit(Unit::Milliseconds),
        "microseconds" => TimeFormat::Unit(Unit::Microseconds),
        pattern if pattern.contains('%') => {
            // An unknown part is also unknown in writing.
            if let Err(error) = strtime::format(pattern, &Zoned::new(Timestamp::UNIX_EPOCH, TimeZone::UTC)) {
                faults.add(&node.at, format!("{pattern:?} is no format of strftime: {error}"));
                return None;
            }
            TimeFormat::Pattern(pattern.to_owned())
        }
        other => {
            faults.unknown_value(&node.at, other, &["seconds", "milliseconds", "microseconds", "%d.%m.%Y"]);
            return None;
        }
    })
}

fn item<'n>(
    list: &Node<'_>,
    find: impl Fn(&str) -> Option<&'n Node<'n>>,
    node: &Node<'_>,
    roots: &[Root],
    level: usize,
    faults: &mut Faults,
) -> Option<Item> {
    let list = path_from(list, roots, faults)?;
    let Some(take) = find("take") else {
        faults.add(&node.at, "take is missing; it names the member of the object that is taken");
        return None;
    };
    let take = within(faults.text(take)?, &take.at, faults)?;
    let mut fits = Vec::new();
    for (key, node) in find("where").and_then(|node| faults.table(node)).into_iter().flatten() {
        let at = within(&key.name, &key.at, faults);
        let wanted = expression(node, roots, level + 1, faults);
        fits.extend(at.map(|at| (at, wanted)));
    }
    let is = match find("is") {
        Some(node) => constants(faults.table(node)?, faults),
        None => Vec::new(),
    };
    Some(Item { list, take, fits, is })
}

fn constants(table: &Table<'_>, faults: &mut Faults) -> Vec<(Vec<String>, Value)> {
    let mut constants = Vec::new();
    for (key, node) in table {
        let (at, value) = (within(&key.name, &key.at, faults), faults.constant(node));
        constants.extend(at.zip(value));
    }
    constants
}

/// Reads the path of a member within an object.
fn within(text: &str, at: &Position, faults: &mut Faults) -> Option<Vec<String>> {
    let segments = path::split(text).map_err(|problem| faults.add(at, problem)).ok()?;
    let value = Value::String(String::new());
    if let Some(name) = segments.iter().find(|name| credentials::is_credential(name, &value)) {
        faults.add(at, format!("{name:?} names a credential, and those are never sent"));
        return None;
    }
    Some(segments)
}
