//! Compiles the user's document, merged into the built-in ones.

use std::collections::HashMap;

use super::{
    event_rules::{NAMINGS, Naming, event_rules},
    fields::FieldSets,
    grammar::{MAPPING, RULES},
    message_fields::MessageFields,
    protection::{Action, Protection},
    rule::Rules,
};
use crate::{
    built_in, declaration,
    document::{self, Content, Fault, Key, Node, Table, value},
    faults::Faults,
    path::{self, Path},
    provider::Provider,
    providers::{Providers, name_fault},
    schema::names,
};

/// A compiled document.
#[derive(Debug)]
pub(super) struct Compiled {
    /// The built-in providers and those that the document declares.
    pub providers: Providers,
    pub declared: Vec<&'static Provider>,
    pub naming: Naming,
    /// The rules of the providers that the document names, by route. If it protects fields, the rules of all.
    pub rules: HashMap<&'static str, Rules>,
    pub fields: Vec<Protection>,
}

/// The parts of a message that can be protected.
const PARTS: [&str; 5] = ["userId", "groupId", "traits", "properties", "context"];

/// Makes the providers and the rules of the user's document.
pub(super) fn compile(own: Table<'_>) -> Result<Compiled, Vec<Fault>> {
    let mut faults = Faults::default();
    let naming = naming(&own, &mut faults);
    let (settings, tables): (Table<'_>, Table<'_>) =
        own.into_iter().partition(|(key, _)| names(MAPPING).contains(&&*key.name));
    let built_in = Providers::built_in();
    let (mut declared, mut rules) = (Vec::new(), HashMap::new());
    for (key, node) in tables {
        let name = key.name.to_string();
        let routes: Vec<&'static str> = routes_of(&built_in, &name).collect();
        let declares = match &node.content {
            Content::Table(members) => declaration::declares(members.iter().map(|(key, _)| key)),
            _ => false,
        };
        if routes.is_empty() && !declares {
            unknown(&key, &built_in, &mut faults);
            continue;
        }
        let is_code = !routes.is_empty()
            && built_in::FILES.iter().all(|file| file.name != name || file.provider.is_none());
        let mut document = built_in::document(&name);
        document::merge(&mut document, vec![(key, node)]);
        let Some((key, node)) = document.first() else { continue };
        let Some(members) = faults.table(node) else { continue };
        if is_code {
            rules_of_routes(&name, &routes, node, members, naming, &mut rules, &mut faults);
            continue;
        }
        if declares {
            if let Some(fault) = name_fault(&key.name) {
                faults.add(&key.at, fault);
            }
            declared.extend(declaration::provider(&name, &key.at, members, &mut faults));
        }
        let provider = declared.last().copied().filter(|provider| provider.route == name);
        let provider = provider.or_else(|| built_in.named(&name).ok());
        let own_rules = provider_rules(node, true, provider, naming, &mut faults);
        if let Some(provider) = provider {
            rules.insert(provider.route, own_rules);
        }
    }
    let providers = built_in.with(&declared);
    let mut fields = Vec::new();
    if let Some(node) = value(&settings, "fields")
        && !matches!(&node.content, Content::Table(fields) if fields.is_empty())
    {
        let known = faults.is_empty().then(|| {
            for provider in providers.all() {
                let file = provider.route.split('/').next().unwrap_or_default();
                let built_in = || self::rules(provider.route, &built_in::document(file), naming);
                rules.entry(provider.route).or_insert_with(built_in);
            }
            message_fields(&providers, &rules)
        });
        fields = protections(node, known.as_ref(), &mut faults);
    }
    faults.or(Compiled { providers, declared, naming, rules, fields })
}

/// Returns the routes whose table has this name. A route such as auth0/logs is in the table auth0.
fn routes_of(providers: &Providers, name: &str) -> impl Iterator<Item = &'static str> {
    providers.routes().filter(move |route| route.split('/').next() == Some(name))
}

fn unknown(key: &Key<'_>, providers: &Providers, faults: &mut Faults) {
    let mut known = names(MAPPING);
    known.extend(providers.routes().map(|route| route.split('/').next().unwrap_or(route)));
    known.dedup();
    faults.unknown_key(key, &known, "");
}

/// Reads the rules of a provider that is code, which may have several routes.
fn rules_of_routes(
    name: &str,
    routes: &[&'static str],
    node: &Node<'_>,
    members: &Table<'_>,
    naming: Naming,
    rules: &mut HashMap<&'static str, Rules>,
    faults: &mut Faults,
) {
    if let [route] = routes
        && *route == name
    {
        rules.insert(route, provider_rules(node, false, None, naming, faults));
        return;
    }
    let below: Vec<&str> =
        routes.iter().filter_map(|route| route.strip_prefix(name)?.strip_prefix('/')).collect();
    for (key, node) in members {
        match routes.iter().find(|route| **route == format!("{name}/{}", key.name)) {
            Some(route) => {
                rules.insert(route, provider_rules(node, false, None, naming, faults));
            }
            None => faults.unknown_key(key, &below, ""),
        }
    }
}

/// Returns the rules of the provider with this route in a document without faults.
pub(super) fn rules(route: &str, document: &Table<'_>, naming: Naming) -> Rules {
    let mut faults = Faults::default();
    let (mut table, mut found) = (document, None);
    for name in route.split('/') {
        found = value(table, name);
        table = found.and_then(|node| faults.table(node)).unwrap_or(table);
    }
    found.map(|node| provider_rules(node, true, None, naming, &mut faults)).unwrap_or_default()
}

/// Collects the fields that the rules set. Rules with faults are incomplete, so there must be none.
fn message_fields<'r>(providers: &Providers, rules: &'r HashMap<&'static str, Rules>) -> MessageFields<'r> {
    let mut known = MessageFields::default();
    for provider in providers.all() {
        if let Some(rules) = rules.get(provider.route) {
            known.add(provider, rules);
        }
    }
    known
}

fn naming(document: &Table<'_>, faults: &mut Faults) -> Naming {
    let Some(node) = value(document, "naming") else {
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

/// Reads the rules of a table. If a file declares the provider, its declaration is beside them; `declared` is
/// that provider, if its declaration has no fault.
fn provider_rules(
    node: &Node<'_>,
    is_declared: bool,
    declared: Option<&Provider>,
    naming: Naming,
    faults: &mut Faults,
) -> Rules {
    let Some(table) = faults.table(node) else { return Rules::default() };
    let mut known = names(RULES);
    if is_declared {
        known.extend(declaration::keys());
    }
    let mut rules = Rules::default();
    let sets = value(table, "sets").map(|node| FieldSets::read(node, faults)).unwrap_or_default();
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
            name if is_declared && known.contains(&name) => {}
            _ => faults.unknown_key(key, &known, ""),
        }
    }
    let never = |path: &&Path| declared.is_some_and(|provider| provider.never_reads(path));
    for rule in rules.on.values().flat_map(|event| &event.rules) {
        for path in rule.paths().filter(never) {
            faults.add(&rule.at, format!("event.{} is never read", path.segments.join(".")));
        }
    }
    rules
}
