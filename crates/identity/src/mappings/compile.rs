//! Compiles a document into the rules of every provider.

use std::collections::HashMap;

use super::{
    document::{Content, Fault, Node, Table},
    event_rules::{NAMINGS, Naming, event_rules},
    faults::Faults,
    fields::FieldSets,
    message_fields::MessageFields,
    protection::{Action, Protection},
    rule::Rules,
};
use crate::{path, provider::Provider, providers};

/// A compiled document.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    /// The rules, by the provider's route.
    pub rules: HashMap<&'static str, Rules>,
    pub fields: Vec<Protection>,
}

/// The parts of a message that can be protected.
const PARTS: [&str; 5] = ["userId", "groupId", "traits", "properties", "context"];

/// Makes the rules.
pub(super) fn compile(document: &Table<'_>) -> Result<Compiled, Vec<Fault>> {
    let mut faults = Faults::default();
    let naming = naming(document, &mut faults);
    let mut compiled = Compiled::default();
    let routes: Vec<&str> = providers::ALL.iter().map(|provider| provider.route).collect();
    // A route such as auth0/logs is the table auth0.logs.
    let mut known = vec!["naming", "fields"];
    known.extend(routes.iter().map(|route| route.split('/').next().unwrap_or(route)));
    known.dedup();
    for (key, node) in document {
        match &*key.name {
            // Read after all rules.
            "naming" | "fields" => {}
            name if known.contains(&name) => {
                if let Some(route) = routes.iter().find(|route| **route == name) {
                    compiled.rules.insert(route, provider_rules(node, naming, &mut faults));
                    continue;
                }
                let below: Vec<&str> =
                    routes.iter().filter_map(|route| route.strip_prefix(name)?.strip_prefix('/')).collect();
                for (key, node) in faults.table(node).into_iter().flatten() {
                    match routes.iter().find(|route| **route == format!("{name}/{}", key.name)) {
                        Some(route) => {
                            compiled.rules.insert(route, provider_rules(node, naming, &mut faults));
                        }
                        None => faults.unknown_key(key, &below, ""),
                    }
                }
            }
            _ => faults.unknown_key(key, &known, ""),
        }
    }
    if let Some((_, node)) = document.iter().find(|(key, _)| key.name == "fields")
        && !matches!(&node.content, Content::Table(fields) if fields.is_empty())
    {
        let known = faults.is_empty().then(|| message_fields(&compiled.rules));
        compiled.fields = protections(node, known.as_ref(), &mut faults);
    }
    faults.or(compiled)
}

/// Returns the rules of one provider in a document without faults.
pub(super) fn rules(provider: &Provider, document: &Table<'_>) -> Rules {
    let mut faults = Faults::default();
    let naming = naming(document, &mut faults);
    let (mut table, mut found) = (document, None);
    for name in provider.route.split('/') {
        found = table.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
        table = found.and_then(|node| faults.table(node)).unwrap_or(table);
    }
    found.map(|node| provider_rules(node, naming, &mut faults)).unwrap_or_default()
}

/// Collects the fields that the rules set. Rules with faults are incomplete, so there must be none.
fn message_fields<'r>(rules: &'r HashMap<&'static str, Rules>) -> MessageFields<'r> {
    let mut known = MessageFields::default();
    for provider in providers::ALL {
        if let Some(rules) = rules.get(provider.route) {
            known.add(provider, rules);
        }
    }
    known
}

fn naming(document: &Table<'_>, faults: &mut Faults) -> Naming {
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

/// Whether this part of a path is meant as a wildcard: for the items of a list, or for any member.
fn is_wildcard(part: &str) -> bool {
    part.contains(['*', '[', ']']) || part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reports paths without quotes: TOML reads `traits.email` as a table in a table.
fn unquoted(path: &str, members: &Table<'_>, faults: &mut Faults) {
    for (key, node) in members {
        let path = format!("{path}.{}", key.name);
        match &node.content {
            Content::Table(members) if !members.is_empty() => unquoted(&path, members, faults),
            _ => faults.add(&key.at, format!("put the path in quotes: {path:?}")),
        }
    }
}

fn protections(node: &Node<'_>, known: Option<&MessageFields<'_>>, faults: &mut Faults) -> Vec<Protection> {
    let mut protections = Vec::new();
    for (key, node) in faults.table(node).into_iter().flatten() {
        if let Content::Table(members) = &node.content
            && !members.is_empty()
        {
            unquoted(&key.name, members, faults);
            continue;
        }
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
            Some(_) if known.is_some_and(|known| !known.has(&path)) => {
                let near = known.and_then(|known| known.nearest(&path));
                let meant = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
                let problem = format!("no rule sets {:?}, so this protects nothing{meant}", key.name);
                faults.add(&key.at, problem);
            }
            // Free-form data may have any name, but these are meant as wildcards and would protect nothing.
            Some(_) if path.iter().any(|part| is_wildcard(part)) => {
                let problem =
                    "a path has only names, without *, [] and numbers; it applies to each item of a list";
                faults.add(&key.at, problem);
            }
            Some(action) => {
                if path == ["groupId"] {
                    // A track has the same id in its context, and a message about a group alone has it as its
                    // anonymous id.
                    let others = [&["context", "groupId"][..], &["anonymousId"]];
                    let others = others.map(|path| path.iter().map(|part| (*part).to_owned()).collect());
                    protections.extend(others.map(|path| Protection { path, action }));
                }
                protections.push(Protection { path, action });
            }
        }
    }
    protections
}

fn provider_rules(node: &Node<'_>, naming: Naming, faults: &mut Faults) -> Rules {
    let Some(table) = faults.table(node) else { return Rules::default() };
    let find = |name: &str| table.iter().find(|(key, _)| key.name == name).map(|(_, node)| node);
    let mut rules = Rules::default();
    let sets = find("sets").map(|node| FieldSets::read(node, faults)).unwrap_or_default();
    for (key, node) in table {
        match &*key.name {
            "sets" => {}
            "integrations" => {
                rules.integrations = faults.table(node).map(|table| faults.object(table)).unwrap_or_default();
            }
            "on" => {
                for (key, node) in faults.table(node).into_iter().flatten() {
                    let event = event_rules(key, node, naming, &sets, faults);
                    rules.on.insert(key.name.to_string(), event);
                }
            }
            _ => faults.unknown_key(key, &["on", "sets", "integrations"], ""),
        }
    }
    rules
}
