//! Reads the file that declares a provider.

use std::time::Duration;

use serde_json::Value;

use super::{
    ContextRules, Declaration, SubjectRule,
    expression::{
        Expression,
        read::{expression, id, members, path_from, text},
    },
    grammar::{ANSWER, CONTEXT, EVENT, PROVIDER, SUBJECT},
    proof,
    types::{Pattern, Types},
};
use crate::{
    document::{Content, Key, Node, Position, Table, value},
    faults::Faults,
    mappings::conditions,
    path::{self, Path, Root},
    provider::{Answer, Provider, Reader, WEBHOOK},
    schema::names,
    signature::Signature,
};

/// The roots of paths in an event, and of paths that can also lead into the user and the group.
const EVENT_ONLY: &[Root] = &Root::OF_EVENTS;
const ALL: &[Root] = &Root::OF_DECLARATIONS;

/// How many seconds a provider may wait.
const DEADLINE: std::ops::RangeInclusive<i64> = 1..=30;

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
    let mut never_at = Vec::new();
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
            "json" => declaration.json = paths(node, faults).0,
            "never" => (declaration.never, never_at) = paths(node, faults),
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
        if value(table, key).is_none() {
            faults.add(at, format!("{key} is missing; {}", example.replace("NAME", name)));
        }
    }
    for (never, at) in declaration.never.iter().zip(&never_at) {
        if let Some(path) = declaration.reads(never) {
            faults.add(at, format!("event.{path} would never be read, and the declaration reads it"));
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
                    Ok(list) if list == ["*"] => declaration.list = Some(&[]),
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
    if node.items().is_empty() {
        faults.add(&node.at, "name at least one entry; it says where the user's id is");
    }
    node.items().iter().filter_map(|entry| subject(entry, faults)).collect()
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
            "inactiveWhen" => rules.inactive_when = conditions(node, EVENT_ONLY, faults),
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

/// Reads paths of members that may be credentials, each with its position.
fn paths(node: &Node<'_>, faults: &mut Faults) -> (Vec<Path>, Vec<Position>) {
    let mut paths = Vec::new();
    for item in node.items() {
        let Some(text) = faults.text(item) else { continue };
        match path::split(text) {
            Ok(segments) if segments.iter().any(|name| name.parse::<usize>().is_ok()) => {
                faults.add(&item.at, format!("{text:?} has a number; a path applies to each item of a list"));
            }
            Ok(mut segments) if segments.len() > 1 && segments[0] == "event" => {
                segments.remove(0);
                paths.push((Path { root: Root::Event, segments }, item.at.clone()));
            }
            Ok(_) => faults.add(&item.at, format!("{text:?} is no path such as event.data.private")),
            Err(problem) => faults.add(&item.at, problem),
        }
    }
    paths.into_iter().unzip()
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
