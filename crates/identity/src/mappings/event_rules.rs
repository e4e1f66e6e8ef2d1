//! The rules of one event type: the calls, their fields and their conditions.

use std::sync::Arc;

use segment::MessageType;
use serde_json::Value;

use super::{
    fields::{self, FieldSets},
    grammar::{DELETE, EVENT_TYPE, GROUP, IDENTIFY, TRACK},
    rule::{Condition, EventRules, Fields, Rule, Test},
};
use crate::{
    document::{Content, Key, Node, Position, Table},
    faults::Faults,
    path::{Path, Root},
    schema::names,
};

/// The calls that a rule can make.
const CALLS: [MessageType; 4] =
    [MessageType::Identify, MessageType::Track, MessageType::Group, MessageType::Delete];

/// Decides which of an event's two names is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    Provider,
    Segment,
}

pub(super) const NAMINGS: [&str; 2] = ["provider", "segment"];

pub(super) fn event_rules(
    key: &Key<'_>,
    node: &Node<'_>,
    naming: Naming,
    sets: &FieldSets,
    faults: &mut Faults,
) -> EventRules {
    let mut rules = Vec::new();
    let mut ignore = None;
    let table = faults.table(node).map_or(&[][..], Vec::as_slice);
    for (key, node) in table {
        let call = CALLS.into_iter().find(|call| call.as_str() == key.name);
        match (&*key.name, call, &node.content) {
            ("ignore", ..) => match node.content {
                Content::Scalar(Value::Bool(true)) => ignore = Some(&node.at),
                _ => faults.add(&node.at, "this must be true"),
            },
            (_, Some(call), Content::Table(table)) => {
                rules.push(rule(call, &node.at, table, naming, sets, faults));
            }
            (_, Some(call), Content::Array(items)) => {
                for item in items {
                    let Some(table) = faults.table(item) else { continue };
                    rules.push(rule(call, &item.at, table, naming, sets, faults));
                }
            }
            (_, Some(_), _) => faults.add(&node.at, "this must be a table, or an array of tables"),
            (_, None, content) => {
                // `[on.user.login.success]` without quotes is a table in a table in a table.
                let nested = matches!(content, Content::Table(table) if table.iter().any(|(_, node)| matches!(node.content, Content::Table(_))));
                let hint = if nested { ". Put an event type with dots in quotes" } else { "" };
                faults.unknown_key(key, &names(EVENT_TYPE), hint);
            }
        }
    }
    match ignore {
        Some(at) if !rules.is_empty() => faults.add(at, "an ignored event type cannot have calls"),
        None if table.is_empty() => {
            faults.add(&node.at, "name a call (identify, track, group or delete), or set ignore = true");
        }
        _ => {}
    }
    EventRules::new(Arc::from(&*key.name), key.at.clone(), rules)
}

fn rule(
    call: MessageType,
    at: &Position,
    table: &Table<'_>,
    naming: Naming,
    sets: &FieldSets,
    faults: &mut Faults,
) -> Rule {
    let mut rule = Rule {
        call,
        at: at.clone(),
        when: Vec::new(),
        event: None,
        user_id: None,
        group_id: None,
        traits: Fields::default(),
        properties: Fields::default(),
        context: Fields::default(),
        integrations: None,
    };
    let known = names(match call {
        MessageType::Identify => IDENTIFY,
        MessageType::Track => TRACK,
        MessageType::Group => GROUP,
        _ => DELETE,
    });
    for (key, node) in table {
        if !known.contains(&&*key.name) {
            faults.unknown_key(key, &known, "");
            continue;
        }
        match &*key.name {
            "when" => rule.when = conditions(node, &Root::OF_RULES, faults),
            "event" => rule.event = event_name(node, naming, faults),
            "userId" => rule.user_id = faults.path(node),
            "groupId" => rule.group_id = faults.path(node),
            "traits" => rule.traits = fields::read(node, sets, faults),
            "properties" => rule.properties = fields::read(node, sets, faults),
            "context" => rule.context = fields::read(node, sets, faults),
            _ => rule.integrations = faults.table(node).map(|table| faults.object(table)),
        }
    }
    rule
}

/// Returns the event's name: one text, or one for each naming.
fn event_name(node: &Node<'_>, naming: Naming, faults: &mut Faults) -> Option<String> {
    let Content::Table(table) = &node.content else { return faults.text(node).map(str::to_owned) };
    let mut names = [None, None];
    for (key, node) in table {
        match NAMINGS.iter().position(|known| *known == key.name) {
            Some(index) => names[index] = faults.text(node).map(str::to_owned),
            None => faults.unknown_key(key, &NAMINGS, ""),
        }
    }
    let [provider, segment] = names;
    match naming {
        Naming::Segment => segment.or(provider),
        Naming::Provider => provider,
    }
}

/// Reads conditions, whose paths begin with one of `roots`.
pub(crate) fn conditions(node: &Node<'_>, roots: &[Root], faults: &mut Faults) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (key, node) in faults.table(node).into_iter().flatten() {
        let path = match Path::parse_from(&key.name, roots) {
            Ok(path) => path,
            Err(problem) => {
                faults.add(&key.at, problem);
                continue;
            }
        };
        let tests = match &node.content {
            Content::Table(table) => table.iter().filter_map(|(key, node)| test(key, node, faults)).collect(),
            _ => vec![Test::In(values(node, faults))],
        };
        conditions.extend(tests.into_iter().map(|test| Condition { path: path.clone(), test }));
    }
    conditions
}

fn test(key: &Key<'_>, node: &Node<'_>, faults: &mut Faults) -> Option<Test> {
    match (&*key.name, &node.content) {
        ("not", _) => return Some(Test::NotIn(values(node, faults))),
        ("exists", Content::Scalar(Value::Bool(wanted))) => return Some(Test::Exists(*wanted)),
        ("exists", _) => faults.add(&node.at, "this must be true or false"),
        _ => faults.unknown_key(key, &["not", "exists"], ""),
    }
    None
}

/// Returns the value, or each value of an array.
fn values(node: &Node<'_>, faults: &mut Faults) -> Vec<Value> {
    match faults.constant(node) {
        Some(Value::Array(values)) => values,
        Some(value) => vec![value],
        None => Vec::new(),
    }
}
