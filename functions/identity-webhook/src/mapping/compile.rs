//! From a document to rules. Every fault is collected with its place.

use std::{collections::HashMap, sync::Arc};

use segment::MessageType;
use serde_json::{Map, Value};

use super::{
    document::{Content, Fault, Key, Node, Position, Table},
    fields::{self, Sets},
    file::Mappings,
    path::{self, Path},
    protection::{Action, Protection},
    rule::{Condition, EventRules, Rule, Rules, Test},
};
use crate::providers;

/// Which of an event's two names is used.
#[derive(Clone, Copy)]
enum Naming {
    Provider,
    Segment,
}

const NAMINGS: [&str; 2] = ["provider", "segment"];

/// The calls that a rule can make.
const CALLS: [MessageType; 4] =
    [MessageType::Identify, MessageType::Track, MessageType::Group, MessageType::Delete];

/// What the parts of a message that can be protected are called.
const PARTS: [&str; 5] = ["userId", "groupId", "traits", "properties", "context"];

/// Collects faults.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(&mut self, at: &Position, problem: impl Into<String>) {
        self.0.push(Fault { at: at.clone(), problem: problem.into() });
    }

    /// A key that is none of `known`.
    pub fn unknown_key(&mut self, key: &Key, known: &[&str], hint: &str) {
        let name = &key.name;
        let suggestion = match nearest(name, known) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("known are: {}", known.join(", ")),
        };
        self.add(&key.at, format!("there is no key {name:?} here; {suggestion}{hint}"));
    }

    /// A value that is none of `known`.
    pub fn unknown_value(&mut self, at: &Position, value: &str, known: &[&str]) {
        let all = known.join(", ");
        let problem = match nearest(value, known) {
            Some(near) => format!("there is no {value:?}; did you mean {near:?}? Known are: {all}"),
            None => format!("there is no {value:?}; known are: {all}"),
        };
        self.add(at, problem);
    }

    pub fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        match &node.content {
            Content::Text(text) if !text.trim().is_empty() => return Some(text),
            Content::Text(_) => self.add(&node.at, "this must not be empty"),
            _ => self.add(&node.at, "this must be a text"),
        }
        None
    }

    pub fn table<'n>(&mut self, node: &'n Node) -> Option<&'n Table> {
        match &node.content {
            Content::Table(table) => Some(table),
            _ => {
                self.add(&node.at, "this must be a table");
                None
            }
        }
    }

    pub fn path(&mut self, node: &Node) -> Option<Path> {
        let text = self.text(node)?;
        Path::parse(text).map_err(|problem| self.add(&node.at, problem)).ok()
    }

    /// Any value of JSON.
    pub fn constant(&mut self, node: &Node) -> Option<Value> {
        Some(match &node.content {
            Content::Text(text) => text.as_str().into(),
            Content::Scalar(value) => value.clone(),
            Content::Array(items) => items.iter().filter_map(|item| self.constant(item)).collect(),
            Content::Table(table) => self.object(table).into(),
            Content::Date => {
                self.add(&node.at, "JSON has no such value; put it in quotes");
                return None;
            }
        })
    }

    fn object(&mut self, table: &Table) -> Map<String, Value> {
        table.iter().filter_map(|(key, node)| Some((key.name.clone(), self.constant(node)?))).collect()
    }
}

/// The known name that was probably meant.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |known: &&&str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let near = known.iter().min_by_key(distance)?;
    (distance(&near) <= 1 + near.len() / 4).then_some(near)
}

/// Makes the rules.
pub(super) fn compile(document: &Table) -> Result<Mappings, Vec<Fault>> {
    let mut faults = Faults::default();
    let naming = naming(document, &mut faults);
    let mut mappings = Mappings { rules: HashMap::new(), fields: Vec::new() };
    let routes = providers::routes();
    // A route such as auth0/logs is the table auth0.logs.
    let mut known = vec!["naming", "fields"];
    known.extend(routes.iter().map(|route| route.split('/').next().unwrap_or(route)));
    known.dedup();
    for (key, node) in document {
        match key.name.as_str() {
            "naming" => {}
            "fields" => mappings.fields = protections(node, &mut faults),
            name if known.contains(&name) => {
                if let Some(route) = routes.iter().find(|route| **route == name) {
                    provider(route, node, naming, &mut mappings, &mut faults);
                    continue;
                }
                let below: Vec<&str> =
                    routes.iter().filter_map(|route| route.strip_prefix(name)?.strip_prefix('/')).collect();
                for (key, node) in faults.table(node).into_iter().flatten() {
                    match routes.iter().find(|route| **route == format!("{name}/{}", key.name)) {
                        Some(route) => provider(route, node, naming, &mut mappings, &mut faults),
                        None => faults.unknown_key(key, &below, ""),
                    }
                }
            }
            _ => faults.unknown_key(key, &known, ""),
        }
    }
    if faults.0.is_empty() { Ok(mappings) } else { Err(faults.0) }
}

fn naming(document: &Table, faults: &mut Faults) -> Naming {
    let Some((_, node)) = document.iter().find(|(key, _)| key.name == "naming") else {
        return Naming::Provider;
    };
    match faults.text(node) {
        Some("segment") => return Naming::Segment,
        Some("provider") | None => {}
        Some(other) => faults.unknown_value(&node.at, other, &NAMINGS),
    }
    Naming::Provider
}

fn protections(node: &Node, faults: &mut Faults) -> Vec<Protection> {
    let mut protections = Vec::new();
    for (key, node) in faults.table(node).into_iter().flatten() {
        let Some(name) = faults.text(node) else { continue };
        let path = match path::split(&key.name) {
            Ok(path) => path,
            Err(problem) => {
                faults.add(&key.at, problem);
                continue;
            }
        };
        match Action::named(name) {
            _ if !PARTS.contains(&path[0].as_str()) => faults.unknown_value(&key.at, &path[0], &PARTS),
            None => faults.unknown_value(&node.at, name, &Action::NAMES),
            Some(action) if path[0].ends_with("Id") && action != Action::Hash => {
                faults.add(&node.at, "userId and groupId can be hashed, not dropped or masked");
            }
            Some(action) => protections.push(Protection { path, action }),
        }
    }
    protections
}

fn provider(route: &'static str, node: &Node, naming: Naming, mappings: &mut Mappings, faults: &mut Faults) {
    let Some(table) = faults.table(node) else { return };
    let find = |name: &str| table.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
    let mut rules = Rules::default();
    let sets = find("sets").map(|node| Sets::read(node, faults)).unwrap_or_default();
    for (key, node) in table {
        match key.name.as_str() {
            "sets" => {}
            "integrations" => {
                rules.integrations = faults.table(node).map(|table| faults.object(table)).unwrap_or_default()
            }
            "on" => {
                for (key, node) in faults.table(node).into_iter().flatten() {
                    let event = event_rules(key, node, naming, &sets, faults);
                    rules.on.insert(key.name.clone(), event);
                }
            }
            _ => faults.unknown_key(key, &["on", "sets", "integrations"], ""),
        }
    }
    mappings.rules.insert(route, rules);
}

fn event_rules(key: &Key, node: &Node, naming: Naming, sets: &Sets, faults: &mut Faults) -> EventRules {
    let mut rules = Vec::new();
    let mut ignore = None;
    let table = faults.table(node).map_or(&[][..], Vec::as_slice);
    for (key, node) in table {
        let call = CALLS.into_iter().find(|call| call.as_str() == key.name);
        match (key.name.as_str(), call, &node.content) {
            ("ignore", ..) => match node.content {
                Content::Scalar(Value::Bool(true)) => ignore = Some(&node.at),
                _ => faults.add(&node.at, "this must be true"),
            },
            (_, Some(call), Content::Table(table)) => {
                rules.push(rule(call, &node.at, table, naming, sets, faults))
            }
            (_, Some(call), Content::Array(items)) => {
                for item in items {
                    let Some(table) = faults.table(item) else { continue };
                    rules.push(rule(call, &item.at, table, naming, sets, faults));
                }
            }
            (_, Some(_), _) => faults.add(&node.at, "this must be a table, or an array of tables"),
            (_, None, content) => {
                let known = ["ignore", "identify", "track", "group", "delete"];
                // `[on.user.login.success]` without quotes is a table in a table in a table.
                let nested = matches!(content, Content::Table(table) if table.iter().any(|(_, node)| matches!(node.content, Content::Table(_))));
                let hint = if nested { ". An event type with dots in it is put in quotes" } else { "" };
                faults.unknown_key(key, &known, hint);
            }
        }
    }
    match ignore {
        Some(at) if !rules.is_empty() => faults.add(at, "an event type that is ignored has no calls"),
        None if table.is_empty() => {
            faults.add(&node.at, "name a call (identify, track, group or delete), or say ignore = true");
        }
        _ => {}
    }
    EventRules::new(Arc::from(key.name.as_str()), rules)
}

fn rule(
    call: MessageType,
    at: &Position,
    table: &Table,
    naming: Naming,
    sets: &Sets,
    faults: &mut Faults,
) -> Rule {
    let mut rule = Rule {
        call,
        at: at.clone(),
        when: Vec::new(),
        event: None,
        user_id: None,
        group_id: None,
        traits: Vec::new(),
        properties: Vec::new(),
        context: Vec::new(),
        integrations: None,
    };
    let known: &[&str] = match call {
        MessageType::Identify => &["when", "event", "userId", "traits", "context", "integrations"],
        MessageType::Track => &["when", "event", "userId", "properties", "context", "integrations"],
        MessageType::Group => &["when", "userId", "groupId", "traits", "context", "integrations"],
        _ => &["when", "userId", "context", "integrations"],
    };
    for (key, node) in table {
        if !known.contains(&key.name.as_str()) {
            faults.unknown_key(key, known, "");
            continue;
        }
        match key.name.as_str() {
            "when" => rule.when = conditions(node, faults),
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

/// One name, or one for each naming.
fn event_name(node: &Node, naming: Naming, faults: &mut Faults) -> Option<String> {
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

fn conditions(node: &Node, faults: &mut Faults) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (key, node) in faults.table(node).into_iter().flatten() {
        let path = match Path::parse(&key.name) {
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

fn test(key: &Key, node: &Node, faults: &mut Faults) -> Option<Test> {
    match (key.name.as_str(), &node.content) {
        ("not", _) => return Some(Test::NotIn(values(node, faults))),
        ("exists", Content::Scalar(Value::Bool(wanted))) => return Some(Test::Exists(*wanted)),
        ("exists", _) => faults.add(&node.at, "this must be true or false"),
        _ => faults.unknown_key(key, &["not", "exists"], ""),
    }
    None
}

/// The value, or each of an array.
fn values(node: &Node, faults: &mut Faults) -> Vec<Value> {
    match faults.constant(node) {
        Some(Value::Array(values)) => values,
        Some(value) => vec![value],
        None => Vec::new(),
    }
}
