//! Reads the file that declares a provider.

use std::time::Duration;

use jiff::{Timestamp, Zoned, fmt::strtime, tz::TimeZone};
use serde_json::Value;
use settings::nearest::suggestion;

use super::{
    ContextRules, Declaration, SubjectRule,
    expression::{Expression, Item, Piece, TimeFormat, Type, Unit},
    grammar::{ANSWER, CONTEXT, EVENT, EXPRESSIONS, PROVIDER, SUBJECT},
    proof,
    types::{Pattern, Types},
};
use crate::{
    credentials,
    document::{Content, Key, Node, Position, Table},
    faults::Faults,
    mappings::conditions,
    path::{self, Path, Root},
    provider::{Answer, Provider, Reader, Signature, WEBHOOK},
    schema::names,
};

/// The roots of paths in an event, and of paths that can also lead into the user and the group.
const EVENT_ONLY: &[Root] = &Root::OF_EVENTS;
const ALL: &[Root] = &Root::OF_DECLARATIONS;

/// How many seconds a provider may wait.
const DEADLINE: std::ops::RangeInclusive<i64> = 1..=30;

/// How many levels an expression may have.
const MAX_LEVELS: usize = 16;

/// Reads the declaration of the provider `name`. `at` is its position. Returns `None` if it has a fault.
///
/// The provider lives as long as the process, as the ones in the code do.
pub(crate) fn provider(
    name: &str,
    at: &Position,
    table: &Table<'_>,
    faults: &mut Faults,
) -> Option<&'static Provider> {
    let before = faults.len();
    let find = |name: &str| table.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
    let name: &'static str = leak(name);
    let mut provider = Provider { route: name, name, title: name, ..WEBHOOK };
    let mut declaration = Declaration {
        whole_body: false,
        refusable: true,
        list: None,
        json: Vec::new(),
        never: Vec::new(),
        event_type: Expression::Constant(Value::Null),
        id: None,
        time: None,
        tenant: None,
        subjects: Vec::new(),
        context: ContextRules::default(),
        profile: Vec::new(),
        may_be_new: Types::All,
    };
    for (key, node) in table {
        match &*key.name {
            "title" => provider.title = faults.text(node).map_or(name, leak),
            "deadline" => {
                if let Some(seconds) = faults.number(node, DEADLINE) {
                    // The rest is for the way to the provider.
                    provider.deadline = Duration::from_secs(seconds).mul_f64(0.8);
                }
            }
            "refusalsAreFinal" => provider.refusals_are_final = faults.flag(node).unwrap_or_default(),
            "refusable" => declaration.refusable = faults.flag(node).unwrap_or(true),
            "makesItsSecret" => provider.makes_its_secret = faults.flag(node).unwrap_or_default(),
            "types" => {
                let (families, listed): (Vec<_>, Vec<_>) =
                    faults.texts(node).into_iter().partition(|text| text.contains('*'));
                declaration.may_be_new =
                    Types::Listed(families.iter().filter_map(|text| Pattern::read(text)).collect());
                provider.event_types = leak(&listed.join("\n"));
            }
            "bookkeeping" => provider.bookkeeping = leak_all(&faults.texts(node)),
            "json" => declaration.json = paths(node, faults),
            "never" => declaration.never = paths(node, faults),
            "answer" => provider.answer = answer(node, faults).unwrap_or(Answer::Accepted),
            "proof" => (provider.signature, provider.static_proof) = proof::read(node, faults),
            "event" => event(node, &mut declaration, faults),
            "subject" => declaration.subjects = subjects(node, faults),
            "context" => declaration.context = context(node, faults),
            "profile" => declaration.profile = members(node, ALL, 0, faults),
            // The rules are read elsewhere, which also reports unknown keys.
            _ => {}
        }
    }
    declaration.whole_body = matches!(provider.signature, Some(Signature::WholeBody));
    for (key, example) in [
        ("proof", "[NAME.proof] says how a request proves itself"),
        ("event", "[NAME.event] says where the type of an event is"),
        ("subject", "[[NAME.subject]] says where the user's id is"),
    ] {
        if find(key).is_none() {
            faults.add(at, format!("{key} is missing; {}", example.replace("NAME", name)));
        }
    }
    provider.context_paths = leak_all(&context_paths(&declaration.context));
    let mut free_form = Vec::new();
    declaration.profile.iter().for_each(|(name, one)| one.free_form(name, &mut free_form));
    provider.free_form = leak_all(&free_form);
    if faults.len() > before {
        return None;
    }
    provider.reader = Reader::Declaration(Box::leak(Box::new(declaration)));
    Some(Box::leak(Box::new(provider)))
}

fn context_paths(context: &ContextRules) -> Vec<&str> {
    let fields = context.fields.iter().map(|(name, _)| name.as_str());
    ["active"].into_iter().chain(fields).collect()
}

pub(super) fn leak(text: &str) -> &'static str {
    Box::leak(text.into())
}

fn leak_all(texts: &[impl AsRef<str>]) -> &'static [&'static str] {
    texts.iter().map(|text| leak(text.as_ref())).collect::<Vec<_>>().leak()
}

fn answer(node: &Node<'_>, faults: &mut Faults) -> Option<Answer> {
    let (mut status, mut body) = (200, "");
    for (key, node) in faults.table(node)? {
        match &*key.name {
            "status" => status = u16::try_from(faults.number(node, 200..=204)?).unwrap_or(200),
            "body" => body = leak(&faults.constant(node)?.to_string()),
            _ => faults.unknown_key(key, &names(ANSWER), ""),
        }
    }
    if status == 204 && !body.is_empty() {
        faults.add(&node.at, "an answer with the status 204 has no body");
    }
    Some(Answer::Fixed { status, body })
}

fn event(node: &Node<'_>, declaration: &mut Declaration, faults: &mut Faults) {
    let Some(table) = faults.table(node) else { return };
    let mut has_type = false;
    for (key, node) in table {
        match &*key.name {
            "list" => {
                let Some(text) = faults.text(node) else { continue };
                match path::split(text) {
                    Ok(list) => declaration.list = Some(leak_all(&list)),
                    Err(problem) => faults.add(&node.at, problem),
                }
            }
            "type" => {
                has_type = true;
                declaration.event_type = text(node, EVENT_ONLY, faults);
            }
            "id" => declaration.id = Some(id(node, faults)),
            "time" => declaration.time = Some(expression(node, EVENT_ONLY, 0, faults)),
            "tenant" => declaration.tenant = path_from(node, EVENT_ONLY, faults),
            _ => faults.unknown_key(key, &names(EVENT), ""),
        }
    }
    if !has_type {
        faults.add(&node.at, "type is missing; it says where the type of an event is");
    }
}

fn subjects(node: &Node<'_>, faults: &mut Faults) -> Vec<SubjectRule> {
    let entries = match &node.content {
        Content::Array(items) if items.is_empty() => {
            faults.add(&node.at, "name at least one entry; it says where the user's id is");
            &[]
        }
        Content::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    entries.iter().filter_map(|entry| subject(entry, faults)).collect()
}

fn subject(node: &Node<'_>, faults: &mut Faults) -> Option<SubjectRule> {
    let mut rule = SubjectRule {
        types: Types::All,
        user: None,
        previous: None,
        group: None,
        user_id: None,
        anonymous_id: None,
        group_id: None,
    };
    for (key, node) in faults.table(node)? {
        match &*key.name {
            "types" => rule.types = types(node, faults),
            "user" => rule.user = path_from(node, EVENT_ONLY, faults),
            "previous" => rule.previous = path_from(node, EVENT_ONLY, faults),
            "group" => rule.group = path_from(node, EVENT_ONLY, faults),
            "userId" => rule.user_id = Some(text(node, ALL, faults)),
            "anonymousId" => rule.anonymous_id = Some(text(node, ALL, faults)),
            "groupId" => rule.group_id = Some(text(node, ALL, faults)),
            _ => faults.unknown_key(key, &names(SUBJECT), ""),
        }
    }
    if rule.previous.is_some() && rule.user.is_none() {
        faults.add(&node.at, "previous needs user, the same object after the event");
    }
    if rule.user_id.is_none() && rule.anonymous_id.is_none() {
        faults.add(&node.at, "name a userId or an anonymousId; Segment takes no message without one");
    }
    Some(rule)
}

fn context(node: &Node<'_>, faults: &mut Faults) -> ContextRules {
    let mut rules = ContextRules::default();
    for (key, node) in faults.table(node).into_iter().flatten() {
        match &*key.name {
            "types" => rules.own = types(node, faults),
            "inactive" => rules.inactive = types(node, faults),
            "inactiveWhen" => rules.inactive_when = conditions(node, faults),
            name if names(CONTEXT).contains(&name) => {
                rules.fields.push((name.to_owned(), expression(node, EVENT_ONLY, 0, faults)));
            }
            _ => faults.unknown_key(key, &names(CONTEXT), ""),
        }
    }
    rules
}

fn types(node: &Node<'_>, faults: &mut Faults) -> Types {
    let mut patterns = Vec::new();
    if matches!(&node.content, Content::Array(items) if items.is_empty()) {
        faults.add(&node.at, "this must not be empty; leave it out for every type");
    }
    for text in faults.texts(node) {
        match Pattern::read(text) {
            Some(pattern) => patterns.push(pattern),
            None => faults.add(&node.at, format!("{text:?} has more than one *")),
        }
    }
    Types::Listed(patterns)
}

fn paths(node: &Node<'_>, faults: &mut Faults) -> Vec<Path> {
    let mut paths = Vec::new();
    for text in faults.texts(node) {
        // A credential may be among the members that are never read.
        match path::split(text) {
            Ok(mut segments) if segments.len() > 1 && segments[0] == "event" => {
                segments.remove(0);
                paths.push(Path { root: Root::Event, segments });
            }
            Ok(_) => faults.add(&node.at, format!("{text:?} is no path such as event.data.private")),
            Err(problem) => faults.add(&node.at, problem),
        }
    }
    paths
}

/// Reads the paths of an array, or one path.
fn several_paths(node: &Node<'_>, roots: &[Root], faults: &mut Faults) -> Vec<Path> {
    let texts = faults.texts(node);
    texts.into_iter().filter_map(|text| parsed(text, &node.at, roots, faults)).collect()
}

fn path_from(node: &Node<'_>, roots: &[Root], faults: &mut Faults) -> Option<Path> {
    let text = faults.text(node)?;
    parsed(text, &node.at, roots, faults)
}

fn parsed(text: &str, at: &Position, roots: &[Root], faults: &mut Faults) -> Option<Path> {
    Path::parse_from(text, roots).map_err(|problem| faults.add(at, problem)).ok()
}

/// Reads the members of an object, each with its source.
fn members(node: &Node<'_>, roots: &[Root], level: usize, faults: &mut Faults) -> Vec<(String, Expression)> {
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
fn text(node: &Node<'_>, roots: &[Root], faults: &mut Faults) -> Expression {
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
fn id(node: &Node<'_>, faults: &mut Faults) -> Expression {
    let read = text(node, EVENT_ONLY, faults);
    if matches!(read, Expression::Constant(Value::String(_))) {
        faults.add(&node.at, "an id that is the same for all events makes one of all; leave it out instead");
    }
    read
}

/// Reads the source of a value. A faulty one becomes null.
fn expression(node: &Node<'_>, roots: &[Root], level: usize, faults: &mut Faults) -> Expression {
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
    let has = |name: &str| table.iter().any(|(key, _)| key.name == name);
    let Some(form) = EXPRESSIONS.iter().find(|form| has(form[0].0)) else {
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
    let find = |name: &str| table.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
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

/// Returns the keys that a declared provider has beside those of its rules.
pub(crate) fn keys() -> Vec<&'static str> {
    names(PROVIDER)
}

/// Whether a table declares a provider, or changes the declaration of one.
pub(crate) fn declares<'n>(mut keys: impl Iterator<Item = &'n Key<'n>>) -> bool {
    let known = self::keys();
    keys.any(|key| known.contains(&&*key.name))
}
